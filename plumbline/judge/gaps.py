"""Judgments that are missing from an experiment's scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from plumbline.artifacts import read_rows
from plumbline.config import Experiment
from plumbline.targets import Target, targets


@dataclass(frozen=True)
class Gap:
    """A model's items on one benchmark that no judge has answered, `missing` of them."""

    benchmark: str
    split: str
    target: Target
    missing: int


def gaps(experiment: Experiment) -> Iterator[Gap]:
    """Every judged score of the experiment that exists and is incomplete."""
    for split in ("validation", "test"):
        names = [
            name
            for name in experiment.benchmarks_on(split)
            if experiment.benchmark(name).card.judged
        ]
        for target in targets(experiment, split, finished(experiment, split)):
            for name in names:
                if missing := unanswered(target, name):
                    yield Gap(name, split, target, missing)


def finished(experiment: Experiment, split: str) -> list:
    """The files that name the models of a split, as far as they are there."""
    folders = experiment.setting_folders().values()
    if split == "test":
        paths = [
            item.selection(experiment.experiment, method)
            for item in folders
            for method in experiment.entrants
        ]
    else:
        paths = [
            run.record
            for item in folders
            for method in experiment.entrants
            for run in experiment.runs(item, method)
        ]
    return [path for path in paths if path.is_file()]


def unanswered(target: Target, benchmark: str) -> int:
    """Items of a finished score without a value though the model has answered."""
    if not target.evaluation.rows(benchmark).is_file():
        return 0
    items = read_rows(target.evaluation.items(benchmark))
    return sum(item["status"] == "missing" for item in items)
