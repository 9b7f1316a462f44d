"""Which models leave the disk, by `execution.keep_models`; answers, scores, logs and records stay.

SFT's run has no model of its own, so nothing here touches the SFT model.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from plumbline.artifacts import read_json
from plumbline.config import Experiment
from plumbline.layout import Run, SettingFolder
from plumbline.targets import Target


def unselected(experiment: Experiment, folders: SettingFolder, method: str) -> list[Run]:
    """Runs of a method that was selected whose models may go: no experiment chose their point.

    None under `keep_models: all`, and none where the whole grid is still to be tested. Only runs of
    this experiment: another one of the setting, with other points, may not have selected yet.
    """
    if experiment.execution.keep_models == "all" or experiment.tested == "grid":
        return []
    return _unselected(experiment.runs(folders, method))


def tested(experiment: Experiment, targets: Iterable[Target]) -> list[Run]:
    """Runs whose models may go once the targets are scored on test: nobody else chose their point.

    Under `keep_models: none` all of them, under `selected` those of points that nobody chose. What
    another experiment has scored is not looked at: a point that two chose keeps its model.
    """
    runs = [target.run for target in targets if target.run]
    if experiment.execution.keep_models == "none":
        return [run for run in runs if run.point not in _points_of_others(experiment, run)]
    return _unselected(runs) if experiment.execution.keep_models == "selected" else []


def _unselected(runs: Iterable[Run]) -> list[Run]:
    return [
        run
        for run in runs
        if run.point not in selected_points(SettingFolder(run.setting), run.method).values()
    ]


def selected_points(folders: SettingFolder, method: str) -> dict[str, str | None]:
    """Experiment -> the point of the method that it chose; None where it could choose none."""
    return {path.parent.name: read_json(path)["point"] for path in folders.selections(method)}


def _points_of_others(experiment: Experiment, run: Run) -> list[str | None]:
    points = selected_points(SettingFolder(run.setting), run.method)
    return [point for name, point in points.items() if name != experiment.experiment]


def remove_models(runs: Iterable[Run]) -> None:
    """Delete the model folders of runs. Renamed first, a model is whole or absent at any moment."""
    for run in runs:
        leaving = run.model.with_name(f".{run.model.name}.leaving")
        shutil.rmtree(leaving, ignore_errors=True)  # of a removal that was killed
        if run.model.is_dir():
            os.replace(run.model, leaving)
            shutil.rmtree(leaving)
            print(f"removed {run.model}", flush=True)
