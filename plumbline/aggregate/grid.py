"""The validation grid: every method at every point it was tried at, and the point selected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.aggregate.cells import Cell, cell, records
from plumbline.aggregate.columns import Column, of_column
from plumbline.aggregate.ranks import SFT


@dataclass(frozen=True)
class GridRow:
    """One method's points. fixed: the hyperparameters all its points share, as `alpha=2.5`.

    cells: label -> cell, where a label is a point without its fixed part; selected: a label or "".
    """

    method: str
    title: str
    fixed: str
    cells: Mapping[str, Cell]
    points: Mapping[str, str]
    selected: str


@dataclass(frozen=True)
class Grid:
    """column: the validation metric shown; labels: the columns, in order; better: its direction."""

    column: Column
    better: str
    labels: tuple[str, ...]
    rows: tuple[GridRow, ...]


def validation_grid(
    rows: Any,
    column: Column,
    *,
    selected: Mapping[str, str],
    methods: Sequence[str] = (),
    titles: Mapping[str, str] | None = None,
    stamp: str = "",
) -> Grid:
    """Means over seeds of one validation metric, method by point, for one setting.

    rows: `rows.RESULT` dicts or a DataFrame. selected: method -> the point that was chosen.
    stamp: printed in every cell.
    """
    rows = [row for row in records(rows) if row["split"] == "validation" and of_column(row, column)]
    names = tuple(methods) or tuple(dict.fromkeys(row["method"] for row in rows))
    titles = {SFT: "SFT", **(titles or {})}
    grid_rows = tuple(
        grid_row(
            name,
            titles.get(name, name),
            [row for row in rows if row["method"] == name],
            selected.get(name, ""),
            stamp,
        )
        for name in names
    )
    labels = sorted({label for row in grid_rows for label in row.cells}, key=point_order)
    better = next((row["better"] for row in rows), "")
    return Grid(column, better, tuple(labels), grid_rows)


def grid_row(
    method: str, title: str, rows: Sequence[dict[str, Any]], selected: str, stamp: str
) -> GridRow:
    """One method's row; its points are labelled by what differs between them."""
    points = sorted({row["point"] for row in rows}, key=point_order)
    fixed = shared_part(points)
    labels = {point: without(point, fixed) for point in points}
    cells = {labels[p]: cell([row for row in rows if row["point"] == p], stamp) for p in points}
    return GridRow(
        method=method,
        title=title,
        fixed=join(fixed),
        cells=cells,
        points={label: point for point, label in labels.items()},
        selected=labels.get(selected, ""),
    )


def parse(point: str) -> dict[str, str]:
    """`beta=0.1,alpha=2.5` -> {"beta": "0.1", "alpha": "2.5"}; `default` has no parts."""
    return dict(part.split("=", 1) for part in point.split(",") if "=" in part)


def join(parts: Mapping[str, str]) -> str:
    """The inverse of `parse`."""
    return ",".join(f"{name}={value}" for name, value in parts.items())


def shared_part(points: Sequence[str]) -> dict[str, str]:
    """What several points have in common; nothing for a single point."""
    if len(points) < 2:
        return {}
    common = set.intersection(*(set(parse(point).items()) for point in points))
    return {name: value for name, value in parse(points[0]).items() if (name, value) in common}


def without(point: str, fixed: Mapping[str, str]) -> str:
    """A point's label once its fixed part is taken away."""
    return join({n: v for n, v in parse(point).items() if n not in fixed}) or point


def point_order(point: str) -> tuple[Any, ...]:
    """Sorts points by name, then numerically: beta=0.03 before beta=0.1 before beta=1.0."""
    return tuple((name, *number(value)) for name, value in sorted(parse(point).items()))


def number(value: str) -> tuple[float, str]:
    """A sort key for a hyperparameter's text; words come after numbers."""
    try:
        return float(value), ""
    except ValueError:
        return float("inf"), value


def points_matching(points: Mapping[str, Iterable[str]], wanted: str) -> dict[str, str]:
    """For each method, its first point with every part of `wanted` ("beta=0.1"); methods without
    one are left out.

    points: method -> the points it has, the preferred one first.
    """
    parts = parse(wanted).items()
    found = {
        method: next((point for point in own if parts <= parse(point).items()), None)
        for method, own in points.items()
    }
    return {method: point for method, point in found.items() if point}
