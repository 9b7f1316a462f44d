"""The columns of Table 1 against what differs between an experiment's settings or variants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plumbline.aggregate import Column, records
from plumbline.aggregate.columns import of_column
from plumbline.report.canvas import panels, with_our_look
from plumbline.report.curves import Curve, curve
from plumbline.report.figures import Ends, describe, draw, finish
from plumbline.report.page import Picture
from plumbline.report.section import picture
from plumbline.report.styles import Style

CAPTION = (
    "Test, each method at its selected point; mean over seeds, band from the least to the greatest "
    "seed. A level line has no value on the axis: SFT, or a method for comparison."
)


@dataclass(frozen=True)
class Place:
    """The line that a model's number belongs to, and where on the axis; None is a level line."""

    line: str
    value: float | None


#: By setting's folder and method.
Places = Mapping[tuple[str, str], Place]


def sweep_picture(
    rows: Any,
    columns: Sequence[Column],
    places: Places,
    styles: Mapping[str, Style],
    title: str,
    scale: str,
) -> Picture:
    """The figure as files, with its words. Arguments as of `sweep`."""
    figure = sweep(rows, columns, places, styles, title, scale)
    return picture("sweep", f"Against {title}", CAPTION, figure)


@with_our_look
def sweep(
    rows: Any,
    columns: Sequence[Column],
    places: Places,
    styles: Mapping[str, Style],
    title: str,
    scale: str,
) -> Figure:
    """One panel a column, one line a method.

    rows: `rows.RESULT` dicts of all settings. title, scale: of the axis, as in `schema.Sweep`.
    """
    figure, (grid,) = panels(1, len(columns), width=4.4 * len(columns), height=3.3)
    tested = [row for row in records(rows) if row["split"] == "test"]
    ends: dict[Axes, Ends] = {}
    for axes, column in zip(grid, columns, strict=True):
        lines = by_line([row for row in tested if of_column(row, column)], places)
        axes.set_xscale(scale)
        ends[axes] = draw_lines(axes, lines, styles)
        describe(axes, column.title, "", title)
    return finish(figure, ends)


def by_line(
    rows: Iterable[dict[str, Any]], places: Places
) -> dict[str, list[dict[float | None, float]]]:
    """For each line its seeds, each {value on the axis: number}."""
    found: dict[str, dict[int, dict[float | None, float]]] = {}
    for row in rows:
        if row["value"] is not None:
            place = places[row["setting"], row["method"]]
            seed = found.setdefault(place.line, {}).setdefault(row["seed"], {})
            seed[place.value] = row["value"]
    return {line: list(seeds.values()) for line, seeds in found.items()}


def draw_lines(
    axes: Axes, lines: Mapping[str, list[dict[float | None, float]]], styles: Mapping[str, Style]
) -> Ends:
    """Lines with a mark at every value; returns where they end."""
    level = {line: seeds for line, seeds in lines.items() if any(None in seed for seed in seeds)}
    curves = {line: curve(seeds) for line, seeds in lines.items() if line not in level}
    ends = draw(axes, curves, styles)
    for line, each in curves.items():
        axes.plot(each.steps, each.mean, "o", color=styles[line].colour, markersize=4)
    steps = sorted({step for each in curves.values() for step in each.steps})
    axes.set_xticks(steps, [f"{step:g}" for step in steps], minor=False)
    axes.minorticks_off()
    return ends + [
        draw_level(axes, curve(seeds), styles[line], steps) for line, seeds in level.items()
    ]


def draw_level(axes: Axes, each: Curve, style: Style, steps: Sequence[float]) -> tuple:
    """A line across the axes; returns its end."""
    axes.axhline(each.mean[0], color=style.colour, linestyle=":", linewidth=1.4)
    return max(steps, default=0.0), each.mean[0], style
