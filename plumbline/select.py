"""Stage select: each method's point, chosen on validation before any of its test scores exist."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import fmean
from typing import Any

from plumbline.artifacts import read_json, read_rows, write_json
from plumbline.config import Experiment
from plumbline.layout import SettingFolder, point_name
from plumbline.provenance import leave_trace


def select(experiment: Experiment, folders: SettingFolder, method: str) -> None:
    """Write the selection file: the point with the best mean over seeds, and every candidate.

    A point with a seed that has no value is not a candidate. Equal points: the first of the grid.
    The file says `reopened` where test scores of the method existed and it is not what it was.
    """
    started, choice = time.perf_counter(), experiment.select
    better = _direction(experiment)
    candidates = [
        _candidate(experiment, folders, method, point_name(point))
        for point in experiment.points(method)
    ]
    usable = [item for item in candidates if item["value"] is not None]
    sign = 1 if better == "higher" else -1
    best = max(usable, key=lambda item: sign * item["value"], default=None)
    made = {
        "setting": folders.name,
        "method": method,
        "point": best and best["point"],
        "benchmark": choice.benchmark,
        "metric": choice.metric,
        "better": better,
        "candidates": candidates,
    }
    path = folders.selection(experiment.experiment, method)
    is_tested = bool(folders.tested(experiment.experiment, method))
    write_json(path, made | {"reopened": is_tested and reopened(path, made)})
    leave_trace(path, started)


def reopened(path: Path, made: dict[str, Any]) -> bool:
    """Whether a selection differs from what it was, or was reopened before. A selection file that
    was deleted is taken for another one.

    path: the selection file of a method that has test scores. made: what is to be written there.
    """
    before = read_json(path) if path.is_file() else {"reopened": True}
    return before != made | {"reopened": False}


def _direction(experiment: Experiment) -> str:
    metrics = experiment.benchmark(experiment.select.benchmark).card.metrics
    return next(item.better for item in metrics if item.name == experiment.select.metric)


def _candidate(
    experiment: Experiment, folders: SettingFolder, method: str, point: str
) -> dict[str, Any]:
    values = [
        _value(experiment, folders.run(method, point, seed).evaluation())
        for seed in experiment.seeds_of(method)
    ]
    complete = None not in values
    return {"point": point, "seeds": values, "value": fmean(values) if complete else None}


def _value(experiment: Experiment, evaluation: Any) -> float | None:
    rows = read_rows(evaluation.rows(experiment.select.benchmark))
    return next(row["value"] for row in rows if row["metric"] == experiment.select.metric)
