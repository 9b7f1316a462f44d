"""Stage align: one run, from the SFT model to a model folder, its dynamics and its record."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from plumbline import ENGINE
from plumbline.artifacts import (
    derive_seed,
    folder_digest,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from plumbline.config import Experiment
from plumbline.data import views
from plumbline.generate import answer
from plumbline.layout import Run, SettingFolder
from plumbline.model.adapter import attach, merged
from plumbline.model.folder import load_pretrained, load_tokenizer, save
from plumbline.model.logprobs import Policy
from plumbline.plugins import SFT, MethodSpec
from plumbline.prompts import prompts_of
from plumbline.provenance import leave_trace
from plumbline.rows import DYNAMICS, PROBE
from plumbline.schema import Align, Prompts, Setting
from plumbline.train.align import Divergence, Dynamics, align
from plumbline.train.annotate import made_from, with_needs, with_reference_samples
from plumbline.train.base import model_digest
from plumbline.train.examples import Example, tokenise, with_traceless
from plumbline.train.geometry import choose, first, hold, told
from plumbline.train.objective import Objective, beside_reference
from plumbline.train.probe import Probe
from plumbline.train.reference import (
    fingerprint,
    referenced_examples,
    with_labels,
    with_prompts,
)
from plumbline.train.rewards import chosen_pairs
from plumbline.train.rewards import made_from as rewarded_from
from plumbline.train.start import start
from plumbline.train.trainer import Place

Row = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """A method in a setting, with what its runs share: read and tokenised once per process."""

    experiment: Experiment
    folders: SettingFolder
    method: str

    @property
    def setting(self) -> Setting:
        """The setting's part of the experiment file."""
        return self.experiment.setting_at(self.folders.name)

    @cached_property
    def spec(self) -> MethodSpec:
        """The method's file."""
        return self.experiment.method(self.method)

    @property
    def relabelling(self) -> dict[str, Any]:
        """How the labels that it learns from differ from the data's own."""
        return self.experiment.relabelling(self.method)

    @property
    def prompts_kept(self) -> Prompts | None:
        """Which prompts it learns from, where not from all."""
        return self.experiment.prompts(self.method)

    @property
    def recipe(self) -> Align:
        """The setting's; a share of the prompts is seen as often as gives it the steps of all."""
        recipe = self.setting.align
        if self.prompts_kept is None:
            return recipe
        return recipe.model_copy(update={"epochs": round(recipe.epochs / self.prompts_kept.share)})

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The SFT model's."""
        return load_tokenizer(self.folders.sft.model)

    @cached_property
    def examples(self) -> list[Example]:
        """The training examples with their references and what else the method needs of them.

        Numbers of tokens come before labels, which turn pairs around with all that they have, and
        propensities after them, as they ask who is desirable.
        """
        where = self.setting, self.folders, self.spec.feedback
        given = referenced_examples(*where, self.tokenizer)
        given = with_needs(given, self.setting, self.folders, self.spec)
        given = self.labelled(given)
        if "traceless" in self.spec.card.needs:
            others = referenced_examples(self.setting, self.folders, "traceless", self.tokenizer)
            given = with_traceless(given, self.labelled(others))
        return with_prompts(given, *where, self.spec.card.needs)

    def examples_at(self, point: dict[str, float]) -> list[Example]:
        """The training examples, with as many samples of the reference as a grid point asks for."""
        if "reference_samples" not in self.spec.card.needs:
            return self.examples
        count = int(self.spec.values(point)["samples"])
        return with_reference_samples(self.examples, self.setting, self.folders, count)

    def labelled(self, given: list[Example]) -> list[Example]:
        """Examples with a variant's labels, or those that a reward chose with its own; the data's
        own need no second look at the rows."""
        if self.prompts_kept:
            return chosen_pairs(given, self.setting, self.folders, self.prompts_kept)
        if not self.relabelling:
            return given
        return with_labels(given, self.setting, self.folders, self.spec.feedback, self.relabelling)

    @cached_property
    def held_out(self) -> list[Example]:
        """The validation pairs whose log-probabilities are probed; none of binary feedback."""
        recipe = self.setting.align
        found = read_rows(self.folders.data("validation"))
        rows = [row for row in found if "pairs" in views.kinds(row)][: recipe.probe_rows]
        return tokenise(views.pairs(rows), "pairs", self.tokenizer, recipe)

    @cached_property
    def prompts(self) -> list[Row]:
        """The prompts that are answered at each probe."""
        recipe = self.setting.align
        if recipe.probe_benchmark is None:
            return []
        asked = prompts_of(
            self.experiment, recipe.probe_benchmark, self.setting, self.folders, "validation"
        )
        return asked[: recipe.probe_prompts]

    def train(self, run: Run) -> str:
        """Make the run's model, unless its record says it is made from the very same parts.

        Returns "current", "ok" or "diverged"; a diverged run keeps its record and log, no model.
        Waits while another job holds the run.
        """
        parts = self.parts()
        with hold(run.folder):
            # Looked at once the folder is ours: who held it may have made it.
            if told(run.record.is_file() and read_json(run.record)["parts"] == parts):
                return "current"
            if first():
                run.record.unlink(missing_ok=True)
            started = time.perf_counter()
            outcome = self.outcome(run, parts)
            seconds = round(time.perf_counter() - started, 3)
            if first():
                write_json(run.record, {"parts": parts, "seconds": seconds, **outcome})
                leave_trace(run.record, started)
                shutil.rmtree(run.work, ignore_errors=True)
        return outcome["status"]

    def outcome(self, run: Run, parts: Row) -> Row:
        """What the run's record says: of the SFT model, a given model, or one that is trained."""
        if self.method == SFT:
            return self.sft()
        if self.method in self.experiment.models:
            return self.given(run)
        return self.align(run, parts)

    def parts(self) -> Row:
        """Everything that decides a run's weights but its point and seed, which are its path."""
        if self.method == SFT:
            return {"engine": ENGINE, "model": model_digest(self.folders.sft)}
        if self.method in self.experiment.models:
            choice = self.experiment.models[self.method]
            return {"engine": ENGINE, "given": choice.model_dump(exclude={"title"})}
        # Nothing of the data's own labels and prompts, so that older records stay current.
        others = dict(self.relabelling)
        if self.prompts_kept:
            others["prompts"] = self.prompts_kept.model_dump() | {
                "reward": rewarded_from(self.setting, self.folders, self.prompts_kept.reward)
            }
        return {
            "method": self.spec.digest,
            **others,
            "recipe": self.recipe.model_dump(),
            **fingerprint(self.setting, self.folders, self.spec.feedback),
            **{
                need: made_from(self.setting, self.folders, self.spec.feedback, need)
                for need in self.spec.annotated
            },
        }

    def point(self, run: Run) -> dict[str, float]:
        """The run's hyperparameters."""
        return self.experiment.point(run.method, run.point)

    def sft(self) -> Row:
        """The outcome of not aligning: the SFT model, where it lies."""
        return {"status": "ok", "model": model_digest(self.folders.sft)}

    def given(self, run: Run) -> Row:
        """The outcome of training elsewhere: a copy, so that a later change of the original cannot
        change what was measured."""
        if not first():
            return {"status": "ok"}
        save(*load_pretrained(self.experiment.models[self.method]), run.model)
        return {"status": "ok", "model": folder_digest(run.model)}

    def align(self, run: Run, parts: Row) -> Row:
        """Train and save; a divergence is an outcome."""
        recipe, execution = self.recipe, self.experiment.execution
        policy, _ = start(self.folders.sft, self.setting, execution)
        adapted = recipe.adapter and attach(policy.model, recipe.adapter)
        if execution.gradient_checkpointing:
            policy.model.gradient_checkpointing_enable({"use_reentrant": False})
        batch = getattr(recipe.batch, self.spec.feedback)
        given = self.examples_at(self.point(run))
        longest = max(given, key=lambda item: item.length).group
        shape = choose(policy, longest, batch, execution)
        weights = recipe.class_weights
        objective = Objective.of(self.spec, self.point(run), self.beside(), weights)
        probe = self.probe(run.seed)
        torch.manual_seed(derive_seed("align", run.seed))
        place = Place(run.work, execution.checkpoint_every, parts)
        try:
            aligned = align(policy, given, objective, recipe, shape, run.seed, probe, place)
        except Divergence as failure:
            self._log(run, failure.dynamics, probe)
            shutil.rmtree(run.model, ignore_errors=True)
            where = {"step": failure.step, "examples": failure.examples}
            return {"status": "diverged", "model": None, **where}
        self._log(run, aligned.dynamics, probe)
        model = policy.model
        if adapted:
            model = merged(adapted, recipe.adapter, self.folders.sft.model, run.work / "adapter")
        if not first():
            return {"status": "ok"}
        save(model, self.tokenizer, run.model, aligned.weights)
        return {
            "status": "ok",
            "model": folder_digest(run.model),
            "examples": len(given),
            "tokens_cut": sum(example.cut for example in given),
            "geometry": {"batch": shape.batch, "micro": shape.micro, "processes": shape.world},
        }

    def beside(self) -> Policy | None:
        """The frozen reference, for a method that compares whole distributions with it."""
        if not beside_reference(self.spec):
            return None
        policy, _ = start(self.folders.sft, self.setting, self.experiment.execution)
        return policy.eval().requires_grad_(False)

    def _log(self, run: Run, dynamics: Dynamics, probe: Probe) -> None:
        if first():
            write_rows(run.dynamics, dynamics.rows, DYNAMICS)
            write_rows(run.probes, probe.answers, PROBE)

    def probe(self, seed: int) -> Probe:
        """A fresh probe for one run."""
        if not self.prompts:
            return Probe(self.held_out)
        batch = self.experiment.execution.answers_per_batch
        options = {"prompts": self.prompts, "seed": derive_seed("probe", seed), "batch": batch}
        return Probe(self.held_out, partial(answer, tokenizer=self.tokenizer, **options))
