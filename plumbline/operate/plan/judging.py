"""What judging will take: calls, tokens and money.

A judge that costs is asked by the evaluators themselves, through a gateway that counts
(`judge.cost`). Where the data that they ask about is not there, and for judges of this machine, a
recipe stands in: how often and how long a benchmark asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from plumbline import jobs
from plumbline.config import Experiment
from plumbline.judge import cost
from plumbline.judge.cost import Estimate
from plumbline.layout import SettingFolder
from plumbline.operate.plan.estimate import MODEL, UNKNOWN
from plumbline.operate.plan.operations import asked_of
from plumbline.operate.plan.sizes import tokens

COUNTED = "counted"


@dataclass(frozen=True)
class Recipe:
    """calls: for each turn of a prompt. tokens: of a question, without the answer that is judged
    and without the data's own. answers: lengths of an answer in it. data: whether the data's prompt
    and completion are in it. reply: tokens that the judge may write."""

    calls: int
    tokens: int
    answers: float
    reply: int
    data: bool = False


#: As `plumbline judge cost` counted them with the evaluators' own 805 and 80 prompts; of
#: hh_win_rate as its file has it.
RECIPES = {
    "alpaca_eval_2": Recipe(calls=1, tokens=880, answers=1.0, reply=1),
    "mt_bench": Recipe(calls=1, tokens=397, answers=1.5, reply=2048),
    "hh_win_rate": Recipe(calls=1, tokens=150, answers=1.0, reply=256, data=True),
}


@dataclass(frozen=True)
class Judged:
    """What one benchmark's judgments on one split take that are still to be made.

    dollars: 0 for a judge of this machine. None: not known. basis: COUNTED, MODEL or UNKNOWN.
    """

    estimate: Estimate
    dollars: float | None
    basis: str

    @property
    def tokens(self) -> int | None:
        """Of questions and replies."""
        found = self.estimate
        return None if found.calls is None else found.prompt_tokens + found.completion_tokens


def judging(experiment: Experiment, ledger: Path) -> list[Judged]:
    """One for each setting and each benchmark and split that asks the judge."""
    if experiment.judge.upstream is None:
        blank = [
            Estimate(name, benchmark, split, 0)
            for name in experiment.setting_folders()
            for benchmark, split in cost.judged(experiment, name)
        ]
    else:
        with TemporaryDirectory() as empty:  # a plan leaves no ledger behind
            there = ledger if ledger.is_file() else Path(empty, ledger.name)
            blank = list(cost.estimates(experiment, there))
    return [_filled(experiment, item) for item in blank]


def _filled(experiment: Experiment, item: Estimate) -> Judged:
    basis = COUNTED
    if item.calls is None:
        item = by_recipe(experiment, item.setting, item.benchmark, item.split)
        basis = UNKNOWN if item.calls is None else MODEL
    return Judged(item, item.cost(experiment), basis)


def by_recipe(experiment: Experiment, setting: str, benchmark: str, split: str) -> Estimate:
    """Judgments of the models that have no scores yet; of unknown number without a recipe."""
    folders = experiment.setting_folders()[setting]
    models = sum(not path.is_file() for path in _scores(experiment, folders, benchmark, split))
    recipe, asked = RECIPES.get(benchmark), asked_of(experiment, benchmark)
    lengths = tokens(experiment.settings[setting])
    if recipe is None or asked is None or lengths is None or split == "probes":
        return Estimate(setting, benchmark, split, models)
    prompts, turns, longest = asked
    orders = experiment.options(benchmark).get("orders", 1)
    calls = models * prompts * turns * recipe.calls * orders
    question = recipe.tokens + recipe.answers * longest + (sum(lengths) if recipe.data else 0)
    counts = (calls, int(calls * question), calls * recipe.reply)
    return Estimate(setting, benchmark, split, models, *counts)


def _scores(
    experiment: Experiment, folders: SettingFolder, benchmark: str, split: str
) -> Iterator[Path]:
    """Where each model's scores lie, or will lie."""
    for method in experiment.entrants:
        if split == "test":
            found = jobs.tested(experiment, folders, [method])
        else:
            found = [run.evaluation() for run in experiment.runs(folders, method)]
        yield from (item.rows(benchmark) for item in found)
