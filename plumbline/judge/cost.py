"""What an experiment's judgments will cost, before anything is spent.

The evaluators themselves ask, through a gateway that counts what is not in the ledger and answers
nothing. Where a model has not answered yet, as long an answer as it may give stands in: prompt
tokens are then at most what is said, not more.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from plumbline.artifacts import read_json, read_rows
from plumbline.config import Experiment
from plumbline.contracts import Judge, Responses
from plumbline.errors import DataError
from plumbline.judge.endpoint import serve
from plumbline.judge.gateway import Gateway
from plumbline.judge.ledger import Ledger
from plumbline.judge.upstream import price
from plumbline.judge.wire import Asked, Body, NoJudgment
from plumbline.layout import SettingFolder
from plumbline.plugins import load_benchmark
from plumbline.prompts import prompts_of

Row = dict[str, Any]
#: Letters of English that a token has on average; a rule of thumb.
LETTERS_PER_TOKEN = 4
#: Tokens that a judge may write where the evaluator sets no limit.
UNLIMITED = 1024


class Counter:
    """A source that answers nothing and adds up what it was asked."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.asked: dict[str, tuple[int, int]] = {}

    def answer(self, asked: Asked) -> Body:
        """See `upstream.Source.answer`."""
        self.asked[asked.key] = estimated_tokens(asked)
        raise NoJudgment(400, "only counted")

    def taken(self) -> tuple[int, int, int]:
        """Calls, prompt tokens and completion tokens since the last time."""
        counts = list(self.asked.values())
        self.asked.clear()
        return len(counts), sum(one for one, _ in counts), sum(other for _, other in counts)


def estimated_tokens(asked: Asked) -> tuple[int, int]:
    """(prompt, completion) tokens of a question: about, and at most."""
    letters = sum(len(message["content"]) for message in asked.request["messages"])
    return letters // LETTERS_PER_TOKEN, asked.request.get("max_tokens") or UNLIMITED


@dataclass(frozen=True)
class Estimate:
    """Judgments of one benchmark on one split that are not in the ledger, over `models` models.

    calls, prompt_tokens, completion_tokens: None where the data that it asks about is not there.
    """

    setting: str
    benchmark: str
    split: str
    models: int
    calls: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def cost(self, experiment: Experiment) -> float | None:
        """US dollars; None where nothing is known, 0 for a judge of this machine."""
        upstream = experiment.judge.upstream
        if self.calls is None or (upstream and upstream.prices is None):
            return None
        tokens = self.prompt_tokens, self.completion_tokens
        return price(tokens, upstream.prices) if upstream else 0.0


def estimates(experiment: Experiment, ledger: Path) -> Iterator[Estimate]:
    """One estimate for each setting and each benchmark and split that asks the judge."""
    judge = experiment.judge
    counter = Counter(judge.upstream.model if judge.upstream else judge.name)
    book = Ledger(ledger)
    gateway = Gateway(*judge.identity, counter, book)
    try:
        with serve(gateway) as served:
            for name in experiment.setting_folders():
                for benchmark, split in judged(experiment, name):
                    yield _estimate(experiment, name, benchmark, split, served, counter)
    finally:
        book.close()


def judged(experiment: Experiment, setting: str) -> Iterator[tuple[str, str]]:
    """(benchmark, split) of everything that asks the judge; the split of answers that are given
    while training is "probes"."""
    for split in ("validation", "test"):
        for name in experiment.benchmarks_on(split):
            if experiment.benchmark(name).card.judged:
                yield name, split
    probed = experiment.settings[setting].align.probe_benchmark
    if probed and experiment.benchmark(probed).card.judged:
        yield probed, "probes"


def _estimate(
    experiment: Experiment, name: str, benchmark: str, split: str, judge: Judge, counter: Counter
) -> Estimate:
    setting, folders = experiment.settings[name], experiment.setting_folders()[name]
    files = answer_files(experiment, folders, benchmark, split)
    there = [path for path in files if path.is_file()]
    try:
        counts = [_count(experiment, benchmark, read_rows(path), judge, counter) for path in there]
        if len(there) < len(files):
            asked = prompts_of(
                experiment, benchmark, setting, folders, "test" if split == "test" else "validation"
            )
            rows = [row | standing_in(row) for row in asked]
            if split == "probes":
                rows = rows[: setting.align.probe_prompts] * probes(experiment, name)
            one = _count(experiment, benchmark, rows, judge, counter)
            counts += [one] * (len(files) - len(there))
    except (FileNotFoundError, DataError):
        return Estimate(name, benchmark, split, len(files))
    return Estimate(name, benchmark, split, len(files), *map(sum, zip(*counts, strict=True)))


def answer_files(
    experiment: Experiment, folders: SettingFolder, benchmark: str, split: str
) -> list[Path]:
    """Where the answers of every model to a benchmark lie, or will lie."""
    if split == "test":
        return [
            item.responses(benchmark)
            for method in experiment.entrants
            for item in experiment.test_evaluations(folders, method)
        ]
    runs = [run for method in experiment.entrants for run in experiment.runs(folders, method)]
    if split == "probes":
        return [run.probes for run in runs if experiment.is_trained(run.method)]
    return [run.evaluation().responses(benchmark) for run in runs]


def standing_in(row: Row) -> Row:
    """As long an answer to each turn of a prompt row as it may have."""
    text = ("word " * row["max_new_tokens"])[: LETTERS_PER_TOKEN * row["max_new_tokens"]]
    turns = 1 + len(row["follow_ups"])
    return {"answers": [text] * turns, "finished": [True] * turns, "tokens": [0] * turns}


def probes(experiment: Experiment, setting: str) -> int:
    """How often a run is probed: before the first step, at each interval, and after the last."""
    recipe = experiment.settings[setting].align
    splits = read_json(experiment.setting_folders()[setting].data_record)["splits"]
    steps = recipe.epochs * splits["train"]["rows"] // recipe.batch.pairs
    return 1 + -(-steps // recipe.probe_every)


def _count(
    experiment: Experiment, benchmark: str, rows: list[Row], judge: Judge, counter: Counter
) -> tuple[int, int, int]:
    """Calls and tokens that these answers need."""
    spec = experiment.benchmark(benchmark)
    decoded = [row | {"payload": json.loads(row["payload"])} for row in rows]
    options = spec.options_for("score", experiment.options(benchmark))
    with TemporaryDirectory() as scratch, silence():
        subject = Responses(decoded, "estimate", scratch)
        load_benchmark(spec).score(subject, judge, **options)
    return counter.taken()


@contextmanager
def silence() -> Iterator[None]:
    """No warnings and bars of evaluators, which would say of every judgment that it is missing."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
