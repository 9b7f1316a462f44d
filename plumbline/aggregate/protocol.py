"""What picking points on the test set adds to a number, where an experiment tests its whole grid.

Paper protocol: each method's best result over its grid, picked on the test scores themselves, in
each column by itself or at one point for all columns. Beside it stands the point that validation
selected; the difference is the optimism of picking on test, never negative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.aggregate.cells import cell
from plumbline.aggregate.columns import Heading, in_column
from plumbline.aggregate.ranks import Rank, average_ranks, level
from plumbline.aggregate.table import Line, TableOne
from plumbline.aggregate.table_one import rank_values, seeds_of

Row = dict[str, Any]
#: A point's value in each column, by `Heading.key`; None where a seed or an item is missing.
Values = Mapping[str, float | None]
#: Of the bootstrap over items, and its seed.
RESAMPLES, SEED = 2000, 0
#: How points are chosen, in the order of the tables.
SELECTED, BEST_POINT, BEST_PER_COLUMN = "selected", "best point", "best per column"


@dataclass(frozen=True)
class Pick:
    """A point and its mean over seeds in a column, in the column's unit."""

    point: str
    value: float


@dataclass(frozen=True)
class Entry:
    """A method in a column. None where a point is not in the grid or has no complete value.

    selected: by validation; best: of the grid, on test; default: the values of the method's file.
    low, high: 95 % interval of the optimism over items, picking anew in each resample, seeds as
    they are; None where the number is no mean over items.
    """

    title: str
    heading: Heading
    selected: Pick | None
    best: Pick | None
    default: Pick | None
    low: float | None = None
    high: float | None = None

    @property
    def optimism(self) -> float | None:
        """How much better `best` is than `selected`, at least 0, in the column's unit."""
        if self.selected is None or self.best is None:
            return None
        return abs(self.best.value - self.selected.value)


@dataclass(frozen=True)
class Choice:
    """A method's points by each way of choosing them, and its average rank at them.

    points: "" for a point of its own in each column. tried: how many points its grid has; fewer:
    whether the budget would have allowed more.
    """

    title: str
    tried: int
    fewer: bool
    points: Mapping[str, str]
    ranks: Mapping[str, Rank]


@dataclass(frozen=True)
class Protocol:
    """Every way of choosing points, side by side. entries: of methods that tried several. budget:
    points that each method may try."""

    entries: tuple[Entry, ...]
    choices: tuple[Choice, ...]
    budget: int


def protocol(
    rows: Iterable[Row],
    items: Iterable[Row],
    table: TableOne,
    *,
    defaults: Mapping[str, str],
    single: Sequence[str],
    budget: int,
) -> Protocol:
    """Hold the table of selected points against the whole grid's test scores.

    rows, items: `rows.RESULT` and `rows.ITEM` of one setting, test scores of every point. table:
    what they came to at the selected points. defaults: method -> the point of its file's values.
    single: who has one model, whatever the seed.
    """
    rows = [row for row in rows if row["split"] == "test"]
    grids = grid_values(rows, table, single)
    measured = by_item(item for item in items if item["split"] == "test")
    entries = tuple(
        entry(line, heading, grids[line.method], defaults.get(line.method, ""), measured)
        for line in table.lines
        if len(grids[line.method]) > 1
        for heading in table.ranked_headings
    )
    trained = [line.method for line in table.lines if line.method not in single]
    fewer = {name for name in trained if len(grids[name]) < budget}
    return Protocol(entries, choices(table, grids, fewer), budget)


def grid_values(
    rows: Sequence[Row], table: TableOne, single: Sequence[str]
) -> dict[str, dict[str, dict[str, float | None]]]:
    """method -> point -> column -> mean over seeds, of the columns that are ranked."""
    seeds = sorted({row["seed"] for row in rows if row["method"] not in single})
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for line in table.lines:
        mine = [row for row in rows if row["method"] == line.method]
        due = seeds_of(mine, () if line.method in single else seeds)
        found[line.method] = {
            point: point_values([row for row in mine if row["point"] == point], table, due)
            for point in dict.fromkeys(row["point"] for row in mine)
        }
    return found


def point_values(
    rows: Sequence[Row], table: TableOne, seeds: Sequence[int]
) -> dict[str, float | None]:
    """One point's value in each ranked column."""
    cells = {h.key: cell(in_column(rows, h, seeds)) for h in table.ranked_headings}
    return {key: found.value if found.complete else None for key, found in cells.items()}


def entry(
    line: Line,
    heading: Heading,
    grid: Mapping[str, Values],
    default: str,
    measured: Mapping[tuple, Mapping[tuple, float]],
) -> Entry:
    """What one method could have claimed in one column."""
    values = {point: found[heading.key] for point, found in grid.items()}
    picks = {point: Pick(point, value) for point, value in values.items() if value is not None}
    best = best_of(picks.values(), heading.better)
    selected = picks.get(line.point)
    low, high = None, None
    if selected and (sheet := item_sheet(line.method, heading, picks, measured)) is not None:
        low, high = interval(sheet, list(picks).index(line.point), heading.better)
    return Entry(line.title, heading, selected, best, picks.get(default), low, high)


def best_of(picks: Iterable[Pick], better: str) -> Pick | None:
    """The best pick; of equal ones the first of the grid."""
    sign = {"higher": 1, "lower": -1}[better]
    return max(picks, key=lambda pick: sign * level(pick.value), default=None)


def by_item(items: Iterable[Row]) -> dict[tuple, dict[tuple, float]]:
    """(method, benchmark, metric, point) -> (seed, item, turn) -> value; items without one left
    out."""
    found: dict[tuple, dict[tuple, float]] = defaultdict(dict)
    for item in items:
        if item["value"] is not None:
            who = (item["method"], item["benchmark"], item["metric"], item["point"])
            found[who][item["seed"], item["item"], item["turn"]] = item["value"]
    return found


def item_sheet(
    method: str,
    heading: Heading,
    picks: Mapping[str, Pick],
    measured: Mapping[tuple, Mapping[tuple, float]],
) -> np.ndarray | None:
    """Values of items, [point, item], mean over seeds; None where their mean is not the number in
    the table, as in a regression over all of them."""
    column = heading.column
    sheets = [measured.get((method, column.benchmark, column.metric, point), {}) for point in picks]
    names = sorted({key[1:] for sheet in sheets for key in sheet}, key=str)
    seeds = sorted({key[0] for sheet in sheets for key in sheet})
    if any(len(sheet) != len(names) * len(seeds) for sheet in sheets) or not names:
        return None
    values = np.array(
        [[[sheet[seed, *name] for name in names] for seed in seeds] for sheet in sheets]
    ).mean(axis=1)
    told = [pick.value for pick in picks.values()]
    return values if np.allclose(values.mean(axis=1), told, rtol=0, atol=1e-6) else None


def interval(values: np.ndarray, selected: int, better: str) -> tuple[float, float]:
    """95 % of resamples of the items: best point less the selected one. values: [point, item]."""
    sign = {"higher": 1.0, "lower": -1.0}[better]
    count = values.shape[1]
    draws = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    means = sign * (draws @ values.T) / count
    gains = means.max(axis=1) - means[:, selected]
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)


def choices(
    table: TableOne, grids: Mapping[str, Mapping[str, Values]], fewer: Container[str]
) -> tuple[Choice, ...]:
    """Each method's points and average ranks by each way of choosing."""
    directions = {heading.key: heading.better for heading in table.ranked_headings}
    best = {line.method: best_point(grids[line.method], directions) for line in table.lines}
    nothing = dict.fromkeys(directions)
    columns = {
        SELECTED: {
            line.method: grids[line.method].get(line.point, nothing) for line in table.lines
        },
        BEST_POINT: {name: grids[name].get(point, nothing) for name, point in best.items()},
        BEST_PER_COLUMN: {name: envelope(grid, directions) for name, grid in grids.items()},
    }
    ranks = {way: rank_values(found, directions, table.rule) for way, found in columns.items()}
    return tuple(
        Choice(
            line.title,
            len(grids[line.method]),
            line.method in fewer,
            {SELECTED: line.point, BEST_POINT: best[line.method], BEST_PER_COLUMN: ""},
            {way: found[line.method] for way, found in ranks.items()},
        )
        for line in table.lines
    )


def best_point(grid: Mapping[str, Values], directions: Mapping[str, str]) -> str:
    """The point with the best mean place among a method's own points; "" where none is complete."""
    ranks = average_ranks(grid, ranked=grid, columns=directions)
    complete = [point for point, rank in ranks.items() if rank.value is not None]
    return min(complete, key=lambda point: ranks[point].value, default="")


def envelope(grid: Mapping[str, Values], directions: Mapping[str, str]) -> dict[str, float | None]:
    """The best value in each column, whichever point it is of."""
    found = {}
    for key, better in directions.items():
        picks = [Pick(p, v[key]) for p, v in grid.items() if v[key] is not None]
        best = best_of(picks, better)
        found[key] = best and best.value
    return found


def at_selected(rows: Iterable[Row], selected: Mapping[str, str]) -> list[Row]:
    """Rows as a table shows them: of test scores, those of each method's selected point.

    Where no point of a method could be selected, its test rows have no value and say why.
    """
    kept = {}
    for row in rows:
        point = selected.get(row["method"])
        if row["split"] == "test" and not point:
            row = row | NOTHING_SELECTED
        elif row["split"] == "test" and row["point"] != point:
            continue
        kept.setdefault(tuple(row[name] for name in SAME), row)
    return list(kept.values())


#: Rows that differ in nothing of this are one.
SAME = ("method", "point", "seed", "split", "benchmark", "metric")
NOTHING_SELECTED = {
    "point": None,
    "value": None,
    "status": "diverged",
    "reason": "no point has a value at every seed",
}
