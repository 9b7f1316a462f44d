"""The cells of an experiment's tables by the names that a reader has for them: each in words, with
the result rows that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from plumbline.aggregate import Entry, Heading, Line, TableOne, validation_grid
from plumbline.aggregate.columns import fits
from plumbline.aggregate.uncertainty import Certainty
from plumbline.cli import tables
from plumbline.config import Experiment
from plumbline.errors import ConfigError, did_you_mean
from plumbline.layout import SettingFolder
from plumbline.report.protocol import entry_sheet
from plumbline.report.uncertainty import cell_sheet
from plumbline.report.words import cell_text
from plumbline.schema import Column as Choice

Row = dict[str, Any]
#: A line of a table: a method in a column.
Found = TypeVar("Found", Certainty, Entry)


def nearest(name: str, known: Mapping[str, Any], noun: str) -> Any:
    """What has this name; ConfigError with the nearest name that there is."""
    if name in known:
        return known[name]
    raise ConfigError(f"no {noun} {name!r}: {did_you_mean(name, known)}known: {', '.join(known)}")


def table_of(experiment: Experiment, folders: SettingFolder) -> TableOne:
    """Table 1 of a setting, by its folder."""
    return tables.table(experiment, experiment.setting_at(folders.name), folders)


def place(table: TableOne, method: str, column: str) -> tuple[Line, Heading]:
    """A line and a column of Table 1."""
    lines = {line.title: line for line in table.lines} | {line.method: line for line in table.lines}
    return nearest(method, lines, "method"), nearest(column, by_name(table.headings), "column")


def by_name(headings: Iterable[Heading]) -> dict[str, Heading]:
    """Columns by everything they may be called: `WR`, `AlpacaEval 2 WR`, `alpaca_eval_2.win_rate`.

    Of columns that share a name the first has it; each has its key for itself.
    """
    names: dict[str, Heading] = {}
    for heading in headings:
        column = heading.column
        benchmark = f"{column.benchmark}.{column.metric}"
        for name in (column.title, f"{heading.group} {column.title}", benchmark, heading.key):
            names.setdefault(name, heading)
    return names


def table_one_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """A cell of Table 1, made of the test scores of each seed."""
    table = table_of(experiment, folders)
    line, heading = place(table, method, column)
    text = cell_text(line.cells[table.headings.index(heading)], heading.column.digits)
    return f"{called(line, heading)} = {text}", shown(experiment, folders, line.method, heading)


def called(line: Line, heading: Heading) -> str:
    """A cell by its line and column."""
    return f"{line.title} / {heading.group} {heading.column.title}"


def shown(
    experiment: Experiment, folders: SettingFolder, method: str, heading: Heading
) -> list[Row]:
    """The test rows at a method's selected point."""
    return tested(tables.shown_rows(experiment, folders), method, heading)


def tested(rows: Iterable[Row], method: str, heading: Heading) -> list[Row]:
    """A method's test rows in a column, by point and seed."""
    mine = [
        row
        for row in rows
        if row["split"] == "test" and row["method"] == method and fits(row, heading)
    ]
    return sorted(mine, key=lambda row: (row["point"], row["seed"]))


def uncertainty_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """A method's interval in a column and its distance to another's, made of the rows of both."""
    table = table_of(experiment, folders)
    line, heading = place(table, method, column)
    cells = tables.uncertainty_of(experiment, folders, table).cells
    cell = of(cells, line, heading, "two items or more")
    pair = {line.title, cell.gap.against if cell.gap else ""}
    methods = [each.method for each in table.lines if each.title in pair]
    rows = [row for name in methods for row in shown(experiment, folders, name, heading)]
    header, lines = cell_sheet([cell])
    return f"{called(line, heading)} = {told(header, lines[0])}", rows


def protocol_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """What picking on test adds in a column, made of the rows of a method's whole grid."""
    table = table_of(experiment, folders)
    line, heading = place(table, method, column)
    found = tables.protocol_of(experiment, folders, table)
    entry = of(found.entries if found else (), line, heading, "a whole grid (tested: grid)")
    header, lines = entry_sheet([entry])
    rows = tested(tables.rows_of(experiment, folders), line.method, heading)
    return f"{called(line, heading)} = {told(header, lines[0])}", rows


def of(found: Iterable[Found], line: Line, heading: Heading, needed: str) -> Found:
    """What a table says of a method in a column; ConfigError where it has no such line."""
    for each in found:
        if (each.title, each.heading) == (line.title, heading):
            return each
    raise ConfigError(f"no such line: {called(line, heading)} has no test scores of {needed}")


def told(header: list[str], line: list[str]) -> str:
    """A line of a table behind its method and column, each number by its name."""
    return ", ".join(f"{name} {text}" for name, text in zip(header[2:], line[2:], strict=True))


def grid_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """A cell of the validation grid, whose columns are points, made of each seed's score."""
    choice = tables.column(experiment, Choice(**experiment.select.model_dump()))
    rows = tables.rows_of(experiment, folders)
    names = {"methods": experiment.entrants, "titles": tables.titles(experiment)}
    grid = validation_grid(rows, choice, selected={}, **names)
    lines = {line.title: line for line in grid.rows} | {line.method: line for line in grid.rows}
    line = nearest(method, lines, "method")
    labels = {label: label for label in line.cells} | {
        point: label for label, point in line.points.items()
    }
    label = nearest(column, labels, "point")
    key = {
        "split": "validation",
        "method": line.method,
        "point": line.points[label],
        "benchmark": choice.benchmark,
        "metric": choice.metric,
    }
    mine = [row for row in rows if key.items() <= row.items()]
    text = cell_text(line.cells[label], choice.digits)
    where = f"{line.title} at {line.points[label]} / {choice.title}"
    return f"{where} = {text}", sorted(mine, key=lambda row: row["seed"])


#: The tables whose cells are asked for, by their files' names.
CELLS = {
    "table1": table_one_cell,
    "uncertainty": uncertainty_cell,
    "protocol": protocol_cell,
    "validation_grid": grid_cell,
}
