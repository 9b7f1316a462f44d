"""Which of an experiment's files stand: they are there, and of what is there now."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from plumbline import layout
from plumbline.artifacts import FINGERPRINT, read_json
from plumbline.config import Experiment
from plumbline.jobs import Job
from plumbline.layout import Evaluation, Run, SettingFolder, point_name

Row = dict[str, Any]


def standing(experiment: Experiment, job: Job) -> list[Path]:
    """The outputs of a job that stand. What a change of code would make again is not told here."""
    there = [path for path in job.outputs if path.exists()]
    if job.stage == "score":
        models = models_of(experiment, job)
        return [path for path in there if of_model(path) == models[path.parents[3]]]
    if job.stage == "select":
        return [path for path in there if weighs(experiment, job.method, path)]
    if job.stage == "aggregate":
        return there if reads_what_is_there(experiment) else []
    if job.stage == "report":
        return there if not older(there, experiment.folder.rows) else []
    return there


def models_of(experiment: Experiment, job: Job) -> dict[Path, str | None]:
    """Folder of each of a job's evaluations -> digest of the model that belongs there now."""
    if job.split == "validation":
        return {run.folder: digest_of(run) for run in job.runs}
    return {
        item.folder: digest_of(tested_run(experiment, job.setting, method, item))
        for method in job.methods
        for item in experiment.test_evaluations(job.setting, method)
    }


def tested_run(
    experiment: Experiment, folders: SettingFolder, method: str, item: Evaluation
) -> Run | None:
    """The run whose test scores belong to an evaluation; None where none was selected."""
    seed = int(item.folder.name.removeprefix("seed="))
    if experiment.tested == "grid":
        return folders.run(method, item.folder.parent.name, seed)
    path = folders.selection(experiment.experiment, method)
    point = read_json(path)["point"] if path.is_file() else None
    return folders.run(method, point, seed) if point else None


def digest_of(run: Run | None) -> str | None:
    """The digest of a run's model; None for a run that is absent or diverged."""
    return read_json(run.record)["model"] if run and run.record.is_file() else None


def of_model(path: Path) -> str | None:
    """The digest of the model that scores are of."""
    metadata = pq.read_schema(path).metadata or {}
    return json.loads(metadata.get(FINGERPRINT, b"{}")).get("model")


def weighs(experiment: Experiment, method: str, path: Path) -> bool:
    """Whether a selection looked at the points that the method has now."""
    weighed = [item["point"] for item in read_json(path)["candidates"]]
    return weighed == [point_name(point) for point in experiment.points(method)]


def reads_what_is_there(experiment: Experiment) -> bool:
    """Whether the tables were made from the scores that are there now."""
    path = experiment.folder.provenance
    if not path.is_file():
        return False
    read = {
        file: trace["file"]
        for file, trace in read_json(path)["files"].items()
        if trace and Path(file).name == "rows.parquet" and Path(file) != experiment.folder.rows
    }
    return all(traced(Path(file)) == digest for file, digest in read.items())


@cache
def _trace(path: Path, _changed: int) -> Row:
    return read_json(path)


def traced(path: Path) -> str | None:
    """The digest of a file, as what made it left it."""
    trace = layout.trace(path)
    if not path.is_file() or not trace.is_file():
        return None
    return _trace(trace, trace.stat().st_mtime_ns)["file"]


def older(paths: Iterable[Path], source: Path) -> bool:
    """Whether one of some files was written before `source`."""
    written = source.stat().st_mtime_ns if source.is_file() else 0
    return any(path.stat().st_mtime_ns < written for path in paths if path.is_file())
