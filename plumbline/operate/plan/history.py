"""What earlier jobs took, as Snakemake's `benchmark:` and the traces beside files have it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from plumbline import layout
from plumbline.artifacts import read_json
from plumbline.jobs import Job

#: Stages whose jobs take several models: their files end in a number.
CHUNKED = ("align", "generate", "score")
#: Seconds between the last file of a job and the end of its process, and rounding.
SLACK = 5


@dataclass(frozen=True)
class Recorded:
    """One job that ended well. models: those that it made, asked or scored. seconds, cpu (seconds)
    and memory (MB, at its peak) are the whole job's."""

    stage: str
    names: tuple[str, ...]
    models: int
    seconds: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Rate:
    """The median of recorded jobs, for each model. memory: the most of any. jobs: how many."""

    seconds: float
    cpu: float
    memory: float
    jobs: int


def subject(stage: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """What jobs of one stage have in common that do the same for other models."""
    return names[:-1] if stage in CHUNKED else names


def family(stage: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """What jobs of one stage have in common that differ by their method only."""
    return names[:2] if stage in ("generate", "score") else names[:1]


def recorded(results: Path, jobs: Iterable[Job]) -> list[Recorded]:
    """All jobs of an experiment that have run, in a results folder."""
    found = []
    for job in jobs:
        timing = results / job.timing.relative_to(layout.RESULTS)
        if timing.is_file():
            with open(timing, encoding="utf-8", newline="") as file:
                row = next(csv.DictReader(file, delimiter="\t"))
            numbers = [number(row[key]) for key in ("s", "cpu_time", "max_rss")]
            models = made(results, job, timing.stat().st_mtime, numbers[0])
            found.append(Recorded(job.stage, job.names, models, *numbers))
    return found


def number(text: str) -> float:
    """A figure of Snakemake's; a job that was too short to be looked at has none, and took next to
    nothing."""
    return float(text) if text not in ("NA", "-", "") else 0.0


def made(results: Path, job: Job, ended: float, seconds: float) -> int:
    """Models that a job worked on when it was measured: a job passes over those that are there.

    The traces beside its files say when each was made. All its models, where none says.
    """
    units = models(job)
    last = [max(map(finished, _traces(results, unit)), default=0.0) for unit in units]
    inside = [when for when in last if ended - seconds - SLACK <= when <= ended + SLACK]
    return len(inside) or len(units)


def models(job: Job) -> list[list[Path]]:
    """The outputs of a job, model by model; those of one that works for no model, at once."""
    if job.stage not in CHUNKED:
        return [list(job.outputs)]
    count = len(job.evaluations or job.runs)
    each = len(job.outputs) // count if count else 0
    return [list(job.outputs[each * n : each * (n + 1)]) for n in range(count)]


def _traces(results: Path, outputs: Iterable[Path]) -> list[Path]:
    files = (results / layout.trace(path).relative_to(layout.RESULTS) for path in outputs)
    return [file for file in files if file.is_file()]


def finished(trace: Path) -> float:
    """When a file was made, in seconds since 1970."""
    return datetime.fromisoformat(read_json(trace)["finished"]).timestamp()


def rate(rows: list[Recorded]) -> Rate | None:
    """What one model takes, by the median of jobs."""
    if not rows:
        return None
    return Rate(
        median(row.seconds / row.models for row in rows),
        median(row.cpu / row.models for row in rows),
        max(row.memory for row in rows),
        len(rows),
    )
