"""Stage generate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase, __version__

from plumbline import ENGINE, config
from plumbline.again import making, remember
from plumbline.artifacts import derive_seed, is_current, write_json, write_rows
from plumbline.config import Experiment
from plumbline.generate import answer, converse, counts
from plumbline.layout import SettingFolder
from plumbline.locks import lock
from plumbline.model.canary import canary, keep
from plumbline.model.folder import load, load_tokenizer
from plumbline.model.logprobs import Policy
from plumbline.model.server import connected
from plumbline.plugins import BenchmarkSpec
from plumbline.prompts import prompts_of
from plumbline.provenance import leave_trace
from plumbline.rows import RESPONSE
from plumbline.targets import Target, targets

Row = dict[str, Any]
#: What answers a benchmark's prompts.
Answers = Callable[[Sequence[Row], BenchmarkSpec], list[Row]]
#: What the assistant says in a benchmark's canary conversation: its longest prompt is rendered.
CANARY = "hello ."


def run(experiment: Path, split: str, paths: list[Path]) -> None:
    """Answer every benchmark that reads responses, for every model of the job."""
    chosen = config.read(experiment)
    names = [name for name in chosen.benchmarks_on(split) if needs_responses(chosen, name)]
    models = list(targets(chosen, split, paths))
    with making([target.evaluation.responses(name) for target in models for name in names]):
        for target in models:
            print(target.evaluation.folder, flush=True)
            with lock(target.evaluation.answers):
                respond(chosen, split, target, names)


def needs_responses(experiment: Experiment, benchmark: str) -> bool:
    """Whether a benchmark reads responses rather than the model."""
    return experiment.benchmark(benchmark).needs == "responses"


def respond(experiment: Experiment, split: str, target: Target, names: list[str]) -> None:
    """Write the answers that are not current; a diverged run has none."""
    record = target.record
    wanted = {name: made_from(experiment, experiment.benchmark(name), target) for name in names}
    stale = [
        name
        for name, parts in wanted.items()
        if not is_current(target.evaluation.responses(name), parts)
    ]
    if record["status"] != "ok":
        for name in stale:
            write_rows(target.evaluation.responses(name), [], RESPONSE, wanted[name])
            leave_trace(target.evaluation.responses(name), time.perf_counter())
        return
    if not stale:
        return
    setting, folders = experiment.setting_at(target.setting), SettingFolder(target.setting)
    with answering(experiment, target) as (tokenizer, answers, who):
        for name in stale:
            started = time.perf_counter()
            asked = prompts_of(experiment, name, setting, folders, split)
            prove(tokenizer, asked, target.evaluation.canary(name), record["model"])
            rows = answers(asked, experiment.benchmark(name))
            found = counts(rows)
            print(f"{name}: " + ", ".join(f"{n} {what}" for what, n in found.items()), flush=True)
            write_json(target.evaluation.answered(name), {"turns": found, "answered_by": who})
            write_rows(target.evaluation.responses(name), rows, RESPONSE, wanted[name])
            leave_trace(target.evaluation.responses(name), started)
            remember(target.evaluation.responses(name))


def made_from(experiment: Experiment, spec: BenchmarkSpec, target: Target) -> Row:
    """Everything that decides answers but the weights' own history."""
    server = experiment.generation
    return {
        "engine": ENGINE,
        "model": target.record["model"],
        "benchmark": spec.digest,
        "options": spec.options_for("prompts", experiment.options(spec.name)),
        "seed": target.seed,
    } | ({"generation": server.identity()} if server else {})


@contextmanager
def answering(
    experiment: Experiment, target: Target
) -> Iterator[tuple[PreTrainedTokenizerBase, Answers, str]]:
    """A target's tokenizer, what answers its prompts, and that one's name and version."""
    seed, folder = derive_seed("answers", target.seed), target.model_folder
    if experiment.generation is None:
        model, tokenizer = load(folder)
        batch = experiment.execution.answers_per_batch

        def answers(asked: Sequence[Row], spec: BenchmarkSpec) -> list[Row]:
            beside = reference(experiment, target) if spec.card.referenced else None
            return answer(model, tokenizer, asked, seed, batch, beside)

        yield tokenizer, answers, f"transformers {__version__}"
        return
    name = experiment.generation.name_of(target.run, folder)
    with connected(experiment.generation, name, seed) as server:
        tokenizer = load_tokenizer(folder)
        server.check_template(tokenizer)

        def said(asked: Sequence[Row], spec: BenchmarkSpec) -> list[Row]:
            return converse(server.speak, asked)

        yield tokenizer, said, f"{experiment.generation.name}: {name}"


def reference(experiment: Experiment, target: Target) -> Policy | None:
    """The model that alignment started from; None of a model trained elsewhere."""
    if target.method in experiment.models:
        return None
    return Policy(load(SettingFolder(target.setting).sft.model)[0])


def prove(tokenizer: PreTrainedTokenizerBase, asked: Sequence[Row], path: Path, model: str) -> None:
    """Keep the token ids of the longest conversation, if training would render it so."""
    longest = max(asked, key=lambda row: len(row["prompt"]) + 2 * len(row["follow_ups"]))
    proof = canary(tokenizer, longest["prompt"], CANARY, longest["follow_ups"])
    keep(path, proof, model, tokenizer)
