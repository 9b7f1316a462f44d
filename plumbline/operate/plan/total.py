"""The plan of an experiment: its jobs, what they will take, and their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from plumbline import jobs
from plumbline.jobs import Job
from plumbline.operate.plan.estimate import Estimate, Estimator
from plumbline.operate.plan.schedule import Places, wall


@dataclass(frozen=True)
class Sum:
    """The sum of what is known. missing: how many of `count` are not known."""

    known: float
    missing: int
    count: int

    @property
    def value(self) -> float | None:
        """The sum; None where nothing of it is known."""
        return None if self.count and self.missing == self.count else self.known


def total(values: Iterable[float | None]) -> Sum:
    """Adds up what is known."""
    values = list(values)
    known = [value for value in values if value is not None]
    return Sum(sum(known), len(values) - len(known), len(values))


@dataclass(frozen=True)
class Plan:
    """Estimates of all jobs, of those still to be done, and seconds until the last has ended."""

    every: list[Estimate]
    todo: list[Estimate]
    wall: float
    wall_of_all: float


def plan(estimator: Estimator, places: Places) -> Plan:
    """What an experiment will take."""
    every = [estimator.estimate(job) for job in jobs.every(estimator.experiment)]
    todo = [item for item in every if to_do(item.job)]
    return Plan(every, todo, wall(todo, places), wall(every, places))


def to_do(job: Job) -> bool:
    """Whether an output of a job is not there. What changed since is Snakemake's to say."""
    return not all(path.exists() for path in job.outputs)


def label(job: Job) -> str:
    """How a table calls the jobs of a rule: the stage, and the split where it has one."""
    return f"{job.stage} {job.split}" if job.split else job.stage


def by(estimates: Sequence[Estimate], key: Callable[[Estimate], str]) -> dict[str, list[Estimate]]:
    """Estimates by a key, in the order in which the keys come."""
    groups: dict[str, list[Estimate]] = {}
    for item in estimates:
        groups.setdefault(key(item), []).append(item)
    return groups


def basis(estimates: Iterable[Estimate]) -> str:
    """The bases of some estimates: one word, or each with its number."""
    found = Counter(item.basis for item in estimates)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{count} {name}" for name, count in found.most_common())
