"""Budgets: a plan that passes one stops before any job, and is told what to cut.

`judge.upstream.budget` is another thing: it stops a judge while it is asked, whatever was planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import layout
from plumbline.config import Experiment
from plumbline.errors import ConfigError
from plumbline.judge.cost import answer_files
from plumbline.operate.plan.devices import device
from plumbline.operate.plan.disk import disk
from plumbline.operate.plan.estimate import Estimate, Estimator
from plumbline.operate.plan.judging import Judged, judging
from plumbline.operate.plan.schedule import Places
from plumbline.operate.plan.total import label, plan, total

JUDGED: dict[str, Callable[[Judged], float | None]] = {
    "judge_calls": lambda item: item.estimate.calls,
    "judge_tokens": lambda item: item.tokens,
    "judge_usd": lambda item: item.dollars,
}
HOURS: dict[str, Callable[[Estimate], float | None]] = {
    "gpu_hours": lambda item: item.gpu and item.gpu / 3600,
    "cpu_hours": lambda item: item.cpu and item.cpu / 3600,
}
#: Of what is planned: less is not worth a line.
LEAST = 0.005
#: Savings that an error names, the largest first.
SHOWN = 5


@dataclass(frozen=True)
class Part:
    """What one thing takes, None where that is not known. rule, method: whose, "" where all's."""

    amount: float | None
    rule: str = ""
    method: str = ""


@dataclass(frozen=True)
class Planner:
    """What is still to be done of an experiment, or of one with less in it, takes of each key."""

    given: Experiment
    results: Path
    places: Places
    estimator: Estimator

    def parts(self, experiment: Experiment, key: str, judged: Sequence[Judged]) -> list[Part]:
        """What the key's amount is made of. judged: of the experiment as it was given."""
        if key in JUDGED:
            return [self._judged(experiment, key, item) for item in judged]
        if key == "disk_gb":
            return [Part(item.gigabytes, "models") for item in disk(experiment, self.results)]
        found = plan(self.estimator.of(experiment), self.places)
        if key == "wall_hours":
            return [Part(found.wall / 3600), *(Part(None) for x in found.todo if x.seconds is None)]
        return [
            Part(HOURS[key](item), label(item.job), _method(item.job.methods))
            for item in found.todo
        ]

    def _judged(self, experiment: Experiment, key: str, item: Judged) -> Part:
        """In proportion to the models that are asked, none where the benchmark is gone."""
        one, amount = item.estimate, JUDGED[key](item)
        there = _models(experiment, item) if one.benchmark in experiment.benchmarks else 0
        share = there / _models(self.given, item)
        name = f"{one.benchmark} {one.split}"
        return Part(amount if amount is None else amount * share, name)


def _method(methods: tuple[str, ...]) -> str:
    return methods[0] if len(methods) == 1 else ""


def _models(experiment: Experiment, item: Judged) -> int:
    one = item.estimate
    folders = experiment.setting_folders()[one.setting]
    return len(answer_files(experiment, folders, one.benchmark, one.split))


def hold(experiment: Experiment, results: Path, places: Places) -> list[str]:
    """Raise ConfigError where the plan passes a budget. Returns what could not be held against one
    in full, in sentences."""
    budget = experiment.budget.model_dump(exclude_none=True)
    estimator = Estimator(experiment, results, device(experiment, None, None))
    planner = Planner(experiment, results, places, estimator)
    judged = judging(experiment, layout.ledger()) if JUDGED.keys() & budget.keys() else []
    passed, notes = [], []
    for key, allowed in budget.items():
        parts = planner.parts(experiment, key, judged)
        known = total(part.amount for part in parts)
        if known.known > allowed:
            passed.append(_refusal(planner, key, allowed, parts, judged))
        elif known.missing:
            notes.append(
                f"budget.{key}: {known.missing} of {known.count} parts have no estimate; the "
                f"others take {figure(known.known)} of {allowed:,}"
            )
    if passed:
        raise ConfigError("\n".join(passed))
    return notes


def _refusal(
    planner: Planner, key: str, allowed: float, parts: list[Part], judged: Sequence[Judged]
) -> str:
    """What is planned and allowed, whose it is, and what each cut would save."""
    needs = total(part.amount for part in parts).known
    lines = [f"budget.{key}: what is to do takes {figure(needs)}, allowed are {allowed:,}"]
    for name in ("rule", "method"):
        if found := shares(parts, name):
            told = ", ".join(f"{whose} {figure(amount)}" for whose, amount in found)
            lines.append(f"  by {name}: {told}")
    lines += [
        f"  {words} would save {figure(saved)}"
        for words, saved in _savings(planner, key, needs, judged)
    ]
    lines.append(
        f"  Cut something, or raise budget.{key}; `plumbline plan FILE` has the whole plan."
    )
    return "\n".join(lines)


def figure(amount: float) -> str:
    """Two digits after the point, more of small numbers."""
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"


def shares(parts: Sequence[Part], name: str) -> list[tuple[str, float]]:
    """What each rule, or each method, takes of what is known, the largest first."""
    sums: dict[str, float] = {}
    for part in parts:
        if whose := getattr(part, name):
            sums[whose] = sums.get(whose, 0.0) + (part.amount or 0.0)
    return sorted(((k, v) for k, v in sums.items() if v), key=lambda item: -item[1])


def _savings(
    planner: Planner, key: str, needs: float, judged: Sequence[Judged]
) -> list[tuple[str, float]]:
    found = []
    for words, less in cuts(planner.given):
        left = total(part.amount for part in planner.parts(less, key, judged)).known
        found.append((words, needs - left))
    worth = sorted(((w, s) for w, s in found if s > LEAST * needs), key=lambda item: -item[1])
    return worth[:SHOWN]


def cuts(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """What could be left out, in words, and the experiment without it."""
    if len(experiment.seeds) > 1:
        yield (
            f"seeds without {experiment.seeds[-1]}",
            experiment.model_copy(update={"seeds": experiment.seeds[:-1]}),
        )
    shorter = {name: _shorter(values) for name, values in experiment.methods.items()}
    if shorter != experiment.methods:
        words = "one value fewer in the longest list of each method"
        yield words, experiment.model_copy(update={"methods": shorter})
    for name in experiment.benchmarks:
        if name != experiment.select.benchmark:
            rest = {key: value for key, value in experiment.benchmarks.items() if key != name}
            yield f"no {name}", experiment.model_copy(update={"benchmarks": rest})
    for name in filter(experiment.is_trained, experiment.methods):
        if not any(values.get("like") == name for values in experiment.methods.values()):
            rest = {key: value for key, value in experiment.methods.items() if key != name}
            yield f"no {name}", experiment.model_copy(update={"methods": rest})


def _shorter(values: dict[str, Any]) -> dict[str, Any]:
    """A method's values, with the last of its longest list left out."""
    lists = {key: value for key, value in values.items() if isinstance(value, list)}
    longest = max(lists, key=lambda key: len(lists[key]), default=None)
    if longest is None or len(lists[longest]) < 2:
        return values
    return values | {longest: lists[longest][:-1]}
