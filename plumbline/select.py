"""Stage select: each method's point, chosen on validation before any of its test scores exist."""

from __future__ import annotations

import time
from statistics import fmean
from typing import Any

from plumbline.artifacts import read_rows, write_json
from plumbline.config import Experiment
from plumbline.layout import SettingFolder, point_name
from plumbline.provenance import leave_trace


def select(experiment: Experiment, folders: SettingFolder, method: str) -> None:
    """Write the selection file: the point with the best mean over seeds, and every candidate.

    A point with a seed that has no value is not a candidate. Equal points: the first of the grid.
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
    write_json(
        folders.selection(experiment.experiment, method),
        {
            "setting": folders.name,
            "method": method,
            "point": best and best["point"],
            "benchmark": choice.benchmark,
            "metric": choice.metric,
            "better": better,
            "candidates": candidates,
        },
    )
    leave_trace(folders.selection(experiment.experiment, method), started)


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
