"""A run as one list of numbers, whether it is an experiment's results or tables in CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from plumbline.artifacts import read_json, read_rows
from plumbline.config import Experiment
from plumbline.errors import DataError
from plumbline.layout import SettingFolder
from plumbline.operate.claims import Claims, Measure

Row = dict[str, Any]


@dataclass(frozen=True)
class Number:
    """What one model scored, under the names of a claims file.

    table: the CSV table that has it, "" for an experiment. value: None for a gap, which reason
    explains. selected: whether its point is the one that stands in the tables. se: item standard
    error. judge, version: of the benchmark; recipe: the setting's keys. None: the run does not say.
    """

    setting: str
    method: str
    point: str
    metric: str
    seed: int
    value: float | None
    table: str = ""
    selected: bool = True
    se: float | None = None
    n: int | None = None
    judge: str | None = None
    version: str | None = None
    recipe: Mapping[str, Any] | None = None
    reason: str = ""


def of_tables(path: Path, claims: Claims) -> Iterator[Number]:
    """Numbers of CSV files in the form of the claims' tables, each named after its table.

    path: a file or a folder of them. Columns that are computed from others are passed over. Raises
    DataError for a file, a column or a value that the claims do not know.
    """
    files = [path] if path.is_file() else sorted(path.glob("*.csv"))
    if not files:
        raise DataError(
            f"{path}: no CSV file; give one, or a folder of them, or an experiment file"
        )
    for file in files:
        if file.stem not in claims.tables:
            known = ", ".join(claims.tables) or "none"
            raise DataError(f"{file}: {claims.claims} has no table {file.stem!r}; known: {known}")
        with open(file, newline="", encoding="utf-8") as lines:
            for number, line in enumerate(csv.DictReader(lines), 2):
                yield from _of_line(f"{file}, line {number}", file.stem, line, claims)


def _of_line(where: str, table: str, line: dict[str, str], claims: Claims) -> Iterator[Number]:
    shape, measures = claims.tables[table], claims.measures()
    if unknown := line.keys() - {*shape.keys, *claims.metrics}:
        names, known = ", ".join(map(str, unknown)), ", ".join([*shape.keys, *shape.columns])
        raise DataError(f"{where}: unknown column(s) {names}; known: {known}")
    try:
        setting, method, point = claims.place(table, {key: line[key] for key in shape.keys})
        values = {key: float(text) for key, text in line.items() if key in measures and text}
    except (KeyError, ValueError) as error:
        raise DataError(f"{where}: expected the columns of {table}, got {error}") from error
    for metric, value in values.items():
        if measures[metric].kind != "number" and not 0 <= value <= 100:
            raise DataError(f"{where}: {metric} is a percentage, got {value}")
        yield Number(setting, method, point, metric, 0, value, table)


def of_experiment(experiment: Experiment, claims: Claims) -> Iterator[Number]:
    """Numbers of an experiment that has run.

    A claims file's setting is the experiment's of that name, or its only one. A seed without a
    number is a gap. Raises DataError where nothing has run.
    """
    if not experiment.folder.rows.is_file():
        raise DataError(
            f"no {experiment.folder.rows}: experiment {experiment.experiment} has not run; "
            "type `snakemake --cores 2 --configfile FILE` with its file first"
        )
    rows, log = read_rows(experiment.folder.rows), read_rows(experiment.folder.dynamics)
    folders = experiment.setting_folders()
    for name in claims.settings:
        own = name if name in folders else next(iter(folders)) if len(folders) == 1 else None
        if own is not None:
            here = folders[own].name
            mine = [row for row in rows if row["setting"] == here]
            mine += at_steps([row for row in log if row["setting"] == here], mine)
            yield from _of_setting(experiment, claims, name, own, mine)


def at_steps(log: Iterable[Row], rows: Iterable[Row]) -> Iterator[Row]:
    """Probes of training logs as rows of their first and last step, and of the change between.

    rows: result rows of the same runs; a run that diverged has no last step.
    """
    diverged = {_run(row) for row in rows if row["status"] == "diverged"}
    probes = sorted((row for row in log if row["split"] != "train"), key=_curve)
    for (run, metric, _), steps in groupby(probes, lambda row: (*_curve(row)[:2], row["split"])):
        values = [row["value"] for row in steps]
        found = {"first": values[0], "last": values[-1], "change": values[-1] - values[0]}
        for step, value in found.items():
            gap = run in diverged and step != "first"
            yield {
                **dict(zip(("method", "point", "seed"), run, strict=True)),
                **{"split": "probe", "metric": metric, "step": step},
                **{"value": None if gap else value, "status": "diverged" if gap else "ok"},
            }


def _run(row: Row) -> tuple[str, str, int]:
    return row["method"], row["point"], row["seed"]


def _curve(row: Row) -> tuple[tuple[str, str, int], str, int]:
    return _run(row), row["metric"], row["step"]


def _of_setting(
    experiment: Experiment, claims: Claims, name: str, own: str, rows: list[Row]
) -> Iterator[Number]:
    """name: the setting in the claims; own: in the experiment."""
    recipe = experiment.settings[own].model_dump()
    selected = selections(experiment, experiment.setting_folders()[own])
    for metric, measure in claims.measures().items():
        mine = [row for row in rows if is_of(row, measure)]
        for method, point in dict.fromkeys((row["method"], row["point"]) for row in mine):
            found = {row["seed"]: row for row in mine if (method, point) == _run(row)[:2]}
            for seed in experiment.seeds_of(method):
                row = found.get(seed, {"value": None, "status": "not_run"})
                yield Number(
                    *(name, method, point, metric, seed, row["value"]),
                    selected=point == selected.get(method),
                    recipe=recipe,
                    reason=gap_words(row),
                    **{key: row.get(key) for key in ("se", "n", "judge", "version")},
                )


def gap_words(row: Row) -> str:
    """Why a row's number is none, or not over all items; "" for a whole one."""
    if row["status"] == "ok":
        return ""
    return ": ".join(filter(None, (row["status"].replace("_", " "), row.get("reason"))))


def is_of(row: Row, measure: Measure) -> bool:
    """Whether a row has what a measure reads."""
    if measure.read == "probe":
        wanted = ("probe", measure.metric, measure.step)
        return (row["split"], row["metric"], row.get("step")) == wanted
    wanted = (measure.read, measure.benchmark, measure.metric)
    return (row["split"], row.get("benchmark"), row["metric"]) == wanted


def selections(experiment: Experiment, folders: SettingFolder) -> dict[str, str]:
    """Each method's selected point; a method for which none could be selected is left out."""
    files = {name: folders.selection(experiment.experiment, name) for name in experiment.entrants}
    return {name: read_json(path)["point"] for name, path in files.items()}
