"""Two archives as one: what is comparable stands in one table, what is not stays apart.

A setting of the second archive joins the same setting of the first where everything that its
numbers depend on is the same. Otherwise it stays an experiment of its own, under a name of its own,
and says why.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plumbline.artifacts import read_json, read_rows, write_json, write_rows, write_text
from plumbline.config import Experiment, archived
from plumbline.errors import IntegrityError
from plumbline.layout import ExperimentFolder, SettingFolder
from plumbline.operate.archive import EXPERIMENTS
from plumbline.operate.moving import COLLECTED, Move, Part, add_judgments, copy_code
from plumbline.rows import RESULT

Row = dict[str, Any]
#: What names a number of a run; two archives that both have it must agree on it.
CELL = ("setting", "method", "point", "seed", "split", "benchmark", "metric")
#: What names a run in all three collected tables.
RUN = ("setting", "method", "point", "seed", "split", "benchmark")
#: Parts of an experiment that decide what was selected.
PROTOCOL = ("select", "grid_points")


def experiments(folder: Path) -> list[Experiment]:
    """The experiments of an unpacked archive, by name."""
    paths = sorted((folder / EXPERIMENTS).glob("*.json"))
    return [archived(read_json(path), folder) for path in paths]


def merge(one: Path, other: Path) -> list[str]:
    """Add the unpacked archive `other` to the unpacked archive `one`; sentences on what happened.

    Raises IntegrityError where both have a run and do not agree, or call different things by one
    name.
    """
    told = []
    for theirs in experiments(other):
        for mine in experiments(one):
            refuse_other_files(mine, theirs)
        apart: dict[str, str] = {}
        for name in theirs.settings:
            part = Part(other, theirs, name)
            home = holder(one, part.setting)
            reasons = differences(home, part) if home else ["the first archive has no such setting"]
            if reasons:
                apart[name] = "; ".join(reasons)
            else:
                join(home, part)
                told.append(f"{name} of {theirs.experiment} joins {home.experiment.experiment}")
        told += bring(one, theirs, other, apart) if apart else []
    copy_code(one, other)
    add_judgments(one, other)
    return told


def holder(folder: Path, setting: SettingFolder) -> Part | None:
    """The part of an archive that has this very setting."""
    parts = (
        Part(folder, experiment, name)
        for experiment in experiments(folder)
        for name in experiment.settings
    )
    return next((part for part in parts if part.setting == setting), None)


def differences(one: Part, other: Part) -> list[str]:
    """Why numbers of one setting in two archives are not comparable; nothing where they are."""
    mine, theirs = signature(one), signature(other)
    return [
        f"another {what}: {words(mine[what])} against {words(theirs[what])}"
        for what in sorted(mine.keys() & theirs.keys())
        if mine[what] != theirs[what]
    ]


def signature(part: Part) -> dict[str, set[str]]:
    """Everything that all numbers of a setting share, and how points were selected, by name."""
    folder, rows = part.folder, part.rows(lambda folder: folder.rows)
    found = {
        "data digest": {row["data_digest"] for row in rows},
        "SFT model": {read_json(folder / part.setting.sft.record)["model"]},
        "engine": {str(read_json(folder / part.setting.sft.record)["engine"])},
        **{key: {str(getattr(part.experiment, key))} for key in PROTOCOL},
    }
    for row in rows:
        name, judge = row["benchmark"], f"{row['judge']} {row['judge_version']}"
        found.setdefault(f"version of {name}", set()).add(row["version"])
        found.setdefault(f"judge of {name}", set()).add(judge)
        found.setdefault(f"code or options of {name}", set()).add(row["code_digest"])
        found.setdefault(f"decoding of {name} {row['metric']}", set()).add(row["decoding"])
    return {what: values - {None} for what, values in found.items() if values - {None}}


def words(values: Iterable[str]) -> str:
    """Values in a line, digests by their beginning."""
    return " and ".join(sorted(value[:12] if len(value) == 64 else value for value in values))


def join(home: Part, part: Part) -> None:
    """Put the runs of `part` beside those of `home`."""
    mine, theirs = home.experiment, part.experiment
    refuse_other_points(mine, theirs)
    move = Move(home.folder, part, home.name, mine.experiment)
    move.files()
    for collected, schema in COLLECTED:
        path, rows = home.folder / collected(mine.folder), move.rows(collected, schema)
        known = read_rows(path)
        if schema is RESULT:
            agree(known, rows)
        there = {run_of(row) for row in known}
        write_rows(path, [*known, *(row for row in rows if run_of(row) not in there)], schema)
    write_experiment(home.folder, union(mine, theirs))
    move.provenance()


def union(mine: Experiment, theirs: Experiment) -> Row:
    """One experiment of the entrants, seeds, benchmarks and columns of two, ours first."""
    mine_shown = [(column.benchmark, column.metric) for column in mine.report.columns]
    more = [
        column
        for column in theirs.report.columns
        if (column.benchmark, column.metric) not in mine_shown
    ]
    report = mine.report.model_copy(update={"columns": [*mine.report.columns, *more]})
    return mine.model_copy(
        update={
            "methods": mine.methods | theirs.methods,
            "models": mine.models | theirs.models,
            "seeds": list(dict.fromkeys([*mine.seeds, *theirs.seeds])),
            "benchmarks": mine.benchmarks
            | {
                name: options
                for name, options in theirs.benchmarks.items()
                if name not in mine.benchmarks
            },
            "report": report,
        }
    ).model_dump()


def refuse_other_files(mine: Experiment, theirs: Experiment) -> None:
    """Raise IntegrityError where two methods' files have one name."""
    for name in filter(mine.is_trained, mine.methods.keys() & theirs.methods.keys()):
        if mine.method(name).digest != theirs.method(name).digest:
            raise IntegrityError(
                f"methods.{name}: the two archives have other code under this name; rename one of "
                "the two files and run it again"
            )


def refuse_other_points(mine: Experiment, theirs: Experiment) -> None:
    """Raise IntegrityError where a method has other points in one table."""
    for name in mine.methods.keys() & theirs.methods.keys():
        if mine.methods[name] != theirs.methods[name]:
            raise IntegrityError(
                f"methods.{name}: {mine.methods[name]} and {theirs.methods[name]} were not chosen "
                "from the same points; give one a name of its own with `like` and run it again"
            )


def agree(mine: list[Row], theirs: list[Row]) -> None:
    """Raise IntegrityError, naming the cell, where both have a number and it is not the same."""
    known = {tuple(row[key] for key in CELL): row for row in mine}
    for row in theirs:
        name = tuple(row[key] for key in CELL)
        if known.get(name, row) != row:
            different = [key for key in row if row[key] != known[name][key]]
            raise IntegrityError(
                f"{' / '.join(map(str, name))}: the two archives do not agree on "
                f"{', '.join(different)}; one of them is not of this run: export both again"
            )


def run_of(row: Row) -> tuple[Any, ...]:
    """The run that a row of any collected table is of."""
    return tuple(row.get(key) for key in RUN)


def bring(folder: Path, theirs: Experiment, other: Path, apart: dict[str, str]) -> list[str]:
    """Add settings that stay apart as an experiment of its own; sentences that say why.

    apart: setting -> reason.
    """
    there = experiments(folder)
    name = free(theirs.experiment, [item.experiment for item in there])
    taken = [setting for item in there for setting in item.settings]
    names: dict[str, str] = {}
    for setting in apart:
        names[setting] = free(setting, [*taken, *names.values()])
    moves = [Move(folder, Part(other, theirs, old), new, name) for old, new in names.items()]
    mine = ExperimentFolder(name)
    for collected, schema in COLLECTED:
        rows = [row for move in moves for row in move.rows(collected, schema)]
        write_rows(folder / collected(mine), rows, schema)
    for move in moves:
        move.files()
        move.provenance()
    if (other / theirs.folder.audit).is_file():
        shutil.copyfile(other / theirs.folder.audit, folder / mine.audit)
    write_json(folder / mine.apart, {names[setting]: reason for setting, reason in apart.items()})
    settings = {new: theirs.settings[old] for old, new in names.items()}
    update = {"experiment": name, "settings": settings}
    write_experiment(folder, theirs.model_copy(update=update).model_dump())
    return [
        f"{setting} of {theirs.experiment} stays apart as {names[setting]} of {name}: {reason}"
        for setting, reason in apart.items()
    ]


def free(name: str, taken: Iterable[str]) -> str:
    """The name, or with the first number that makes it a new one."""
    names = [name, *(f"{name}_{number}" for number in range(2, len([*taken]) + 3))]
    return next(item for item in names if item not in taken)


def write_experiment(folder: Path, content: Row) -> None:
    """Write an experiment into an unpacked archive; the order of methods is that of the tables."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    write_text(folder / EXPERIMENTS / f"{content['experiment']}.json", text)
