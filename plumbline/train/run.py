"""Stage align: one run, from the SFT model to a model folder, its dynamics and its record."""

from __future__ import annotations

import json
import shutil
import time
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from plumbline import ENGINE
from plumbline.artifacts import (
    derive_seed,
    folder_digest,
    lock,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from plumbline.config import Experiment, Setting
from plumbline.contracts import Data
from plumbline.data import views
from plumbline.generate import answer
from plumbline.layout import Run, SettingFolder
from plumbline.model.folder import load, save
from plumbline.plugins import SFT, MethodSpec, load_benchmark
from plumbline.rows import DYNAMICS, PROBE
from plumbline.train.align import Divergence, Dynamics, align
from plumbline.train.base import model_digest
from plumbline.train.examples import tokenise
from plumbline.train.objective import Objective
from plumbline.train.probe import Probe
from plumbline.train.reference import fingerprint, referenced_examples


def train(experiment: Experiment, run: Run) -> str:
    """Make the run's model, unless its record says that it is already made from the same parts.

    Returns "current", "ok" or "diverged". A diverged run keeps its record and dynamics but no
    model. Raises IntegrityError where another process holds the run.
    """
    setting = experiment.setting_at(run.setting)
    folders = SettingFolder(run.setting)
    parts = _parts(experiment, setting, folders, run)
    if run.record.is_file() and read_json(run.record)["parts"] == parts:
        return "current"
    with lock(run.folder):
        run.record.unlink(missing_ok=True)
        started = time.perf_counter()
        if run.method == SFT:
            outcome = {"status": "ok", "model": model_digest(folders.sft)}
        else:
            outcome = _align(experiment, setting, folders, run)
        seconds = round(time.perf_counter() - started, 3)
        write_json(run.record, {"parts": parts, "seconds": seconds, **outcome})
        shutil.rmtree(run.work, ignore_errors=True)
    return outcome["status"]


def _parts(
    experiment: Experiment, setting: Setting, folders: SettingFolder, run: Run
) -> dict[str, Any]:
    """Everything that decides a run's weights."""
    if run.method == SFT:
        return {"engine": ENGINE, "model": model_digest(folders.sft)}
    spec = experiment.method(run.method)
    return {
        "method": spec.digest,
        "recipe": setting.align.model_dump(),
        **fingerprint(setting, folders, spec.feedback),
    }


def _align(
    experiment: Experiment, setting: Setting, folders: SettingFolder, run: Run
) -> dict[str, Any]:
    """Train and save; a divergence is an outcome."""
    spec: MethodSpec = experiment.method(run.method)
    point = experiment.point(run.method, run.point)
    model, tokenizer = load(folders.sft.model)
    examples = referenced_examples(setting, folders, spec.feedback, tokenizer)
    probe = _probe(experiment, setting, folders, run, tokenizer)
    torch.manual_seed(derive_seed("align", run.seed))
    try:
        dynamics = align(
            model, examples, Objective.of(spec, point), setting.align, run.seed, probe, run.work
        )
    except Divergence as failure:
        _log(run, failure.dynamics, probe)
        shutil.rmtree(run.model, ignore_errors=True)
        return {
            "status": "diverged",
            "model": None,
            "step": failure.step,
            "examples": failure.examples,
        }
    _log(run, dynamics, probe)
    save(model, tokenizer, run.model)
    cut = sum(example.cut for example in examples)
    digest = folder_digest(run.model)
    return {"status": "ok", "model": digest, "examples": len(examples), "tokens_cut": cut}


def _probe(
    experiment: Experiment,
    setting: Setting,
    folders: SettingFolder,
    run: Run,
    tokenizer: PreTrainedTokenizerBase,
) -> Probe:
    """Held-out pairs, and the prompts of the recipe's probe benchmark."""
    recipe = setting.align
    rows = read_rows(folders.data("validation"))[: recipe.probe_rows]
    pairs = tokenise(views.pairs(rows), "pairs", tokenizer, recipe)
    if recipe.probe_benchmark is None:
        return Probe(pairs)
    prompts = prompts_of(experiment, recipe.probe_benchmark, setting, folders, "validation")
    kept = prompts[: recipe.probe_prompts]
    seed = derive_seed("probe", run.seed)
    return Probe(pairs, partial(_answer, tokenizer=tokenizer, prompts=kept, seed=seed))


def _answer(model: Any, tokenizer: Any, prompts: Any, seed: int) -> list[dict[str, Any]]:
    return answer(model, tokenizer, prompts, seed)


def prompts_of(
    experiment: Experiment, benchmark: str, setting: Setting, folders: SettingFolder, split: str
) -> list[dict[str, Any]]:
    """PROMPT rows of a benchmark on a split, `payload` encoded as JSON."""
    spec = experiment.benchmark(benchmark)
    data = Data(str(folders.data(split).parent), setting.data.source, setting.data.seed)
    options = spec.options_for("prompts", experiment.options(benchmark))
    rows = load_benchmark(spec).prompts(data, split, **options)
    return [row | {"payload": json.dumps(row.get("payload"))} for row in rows]


def _log(run: Run, dynamics: Dynamics, probe: Probe) -> None:
    write_rows(run.dynamics, dynamics.rows, DYNAMICS)
    write_rows(run.probes, probe.answers, PROBE)
