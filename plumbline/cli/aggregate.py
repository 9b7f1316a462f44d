"""Stage aggregate."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plumbline import config
from plumbline.aggregate import validation_grid
from plumbline.artifacts import (
    merge_rows,
    read_rows,
    write_atomically,
    write_json,
    write_rows,
    write_text,
)
from plumbline.cli import cases, tables
from plumbline.config import Experiment
from plumbline.layout import Evaluation, Run, SettingFolder
from plumbline.provenance import leave_trace, traces
from plumbline.report.protocol import protocol_files
from plumbline.report.tables import table_files
from plumbline.report.uncertainty import uncertainty_files
from plumbline.rows import ITEM, RESULT, RUN_DYNAMICS
from plumbline.schema import Column as Choice


def run(experiment: Path) -> None:
    """Collect what the experiment's runs left, and write the tables of each setting."""
    started, chosen = time.perf_counter(), config.read(experiment)
    found = list(evaluations(chosen))
    folder = chosen.folder
    # Runs are shared: their validation rows name the experiment that scored them first.
    label = {"experiment": chosen.experiment}
    merge_rows([item.rows(name) for item, name in found], folder.rows, RESULT, **label)
    merge_rows([item.items(name) for item, name in found], folder.items, ITEM, **label)
    write_rows(folder.dynamics, dynamics(chosen), RUN_DYNAMICS)
    leave_trace(folder.rows, started)
    keep_audit(chosen)
    write_json(folder.provenance, traces([*sources(chosen), folder.rows]))
    for name, folders in chosen.setting_folders().items():
        texts = files(chosen, name, folders) | cases.files(chosen, folders)
        for file, text in texts.items():
            write_text(folder.tables / name / file, text)


def evaluations(experiment: Experiment) -> Iterator[tuple[Evaluation, str]]:
    """Every evaluated model with every benchmark of its split, validation first."""
    for folders in experiment.setting_folders().values():
        for method in experiment.entrants:
            for run in experiment.runs(folders, method):
                for name in experiment.benchmarks_on("validation"):
                    yield run.evaluation(), name
        for method in experiment.entrants:
            for where in experiment.test_evaluations(folders, method):
                for name in experiment.benchmarks_on("test"):
                    yield where, name


def sources(experiment: Experiment) -> list[Path]:
    """Every file behind the rows, from data to scores, in this order."""
    settings = [path for folders in experiment.setting_folders().values() for path in made(folders)]
    runs = [
        run.record
        for folders in experiment.setting_folders().values()
        for method in experiment.entrants
        for run in experiment.runs(folders, method)
    ]
    scored = [
        path
        for where, name in evaluations(experiment)
        for path in (where.responses(name), where.rows(name))
    ]
    return [*settings, *runs, *selections(experiment), *scored]


def made(folders: SettingFolder) -> list[Path]:
    """What a setting's runs begin with."""
    stages = [folders.data_record, folders.pretrain.record, folders.sft.record]
    return stages + folders.passes()


def selections(experiment: Experiment) -> list[Path]:
    """Each method's selection file in each setting."""
    return [
        folders.selection(experiment.experiment, method)
        for folders in experiment.setting_folders().values()
        for method in experiment.entrants
    ]


def keep_audit(experiment: Experiment) -> None:
    """A copy of the judge's audit: tables ask no file outside of the results."""
    path, kept = experiment.judge.audit, experiment.folder.audit
    if path is None:
        kept.unlink(missing_ok=True)
    else:
        write_atomically(kept, lambda temporary: shutil.copyfile(path, temporary))


def dynamics(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """The training logs of all runs that have one, with the scores of their probes."""
    for folders in experiment.setting_folders().values():
        for method in experiment.entrants:
            for run in experiment.runs(folders, method):
                yield from run_dynamics(experiment, run)


def run_dynamics(experiment: Experiment, run: Run) -> Iterator[dict[str, Any]]:
    """One run's log, if training left one."""
    who = {"setting": run.setting, "method": run.method, "point": run.point, "seed": run.seed}
    probed = experiment.setting_at(run.setting).align.probe_benchmark
    files = [run.dynamics, *([run.probe_rows(probed)] if probed else [])]
    for path in files:
        if path.is_file():
            yield from (who | row for row in read_rows(path))


def files(experiment: Experiment, name: str, folders: SettingFolder) -> dict[str, str]:
    """File name -> text of a setting's tables of numbers, which rows and records alone decide."""
    rows = tables.shown_rows(experiment, folders)
    select = Choice(**experiment.select.model_dump())
    grid = validation_grid(
        rows,
        tables.column(experiment, select),
        selected=tables.selected_points(experiment, folders),
        methods=experiment.entrants,
        titles=tables.shown_titles(experiment, folders),
        stamp=tables.stamp(experiment.settings[name]),
    )
    table = tables.table(experiment, experiment.settings[name], folders)
    ways = tables.protocol_of(experiment, folders, table)
    sure = uncertainty_files(tables.uncertainty_of(experiment, folders, table))
    return table_files(table, grid, rows) | sure | (protocol_files(ways) if ways else {})
