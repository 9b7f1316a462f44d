"""Figures of how sure the ranks are: intervals, and the critical-difference diagram."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plumbline.aggregate.uncertainty import Contest
from plumbline.report.canvas import panels, with_our_look
from plumbline.report.figures import describe
from plumbline.report.styles import INK, MUTED, PAPER, Style
from plumbline.stats.blocks import Friedman


@with_our_look
def rank_intervals(contest: Contest, styles: Mapping[str, Style]) -> Figure:
    """Each ranked method's average rank with its simultaneous interval, and, at the right, its
    probability of being best; best on top."""
    ordered = sorted(contest.standings, key=lambda each: -each.rank)
    figure, ((axes,),) = panels(1, 1, width=8.8, height=0.9 + 0.34 * len(ordered))
    for height, each in enumerate(ordered):
        colour = styles[each.method].colour
        axes.plot([each.low, each.high], [height, height], color=colour, linewidth=2.6)
        for end in (each.low, each.high):
            axes.plot([end, end], [height - 0.16, height + 0.16], color=colour, linewidth=1.6)
        axes.plot(each.rank, height, "D", color=colour, markersize=8, markeredgecolor=PAPER)
        axes.annotate(
            f"{100 * each.best:.0f} %",
            (1.02, height),
            xycoords=("axes fraction", "data"),
            va="center_baseline",
        )
    axes.set_title("best", loc="right", color=MUTED, size=9, fontweight="normal")
    axes.set_yticks(
        range(len(ordered)), [each.title for each in ordered], color=INK, parse_math=False
    )
    axes.set_xlim(0.8, len(ordered) + 0.2)
    axes.set_xticks(range(1, len(ordered) + 1))
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    describe(axes, "", "", "average rank (1 is best)")
    return figure


@with_our_look
def critical_differences(
    contest: Contest, friedman: Friedman, styles: Mapping[str, Style]
) -> Figure:
    """Mean places over blocks on a line; bars join methods whose places lie within Nemenyi's
    critical difference (J. Demsar, JMLR 7, 2006, Figure 1)."""
    places = friedman.mean_places
    order = np.argsort(places, kind="stable")
    groups = cliques(places[order], friedman.critical_difference)
    half = -(-len(order) // 2)
    figure, ((axes,),) = panels(1, 1, width=8.8, height=1.1 + 0.3 * half + 0.16 * len(groups))
    base = -0.35 * (len(groups) + 1)
    for number, (first, last) in enumerate(groups):
        ends = [places[order[first]] - 0.06, places[order[last]] + 0.06]
        axes.plot(ends, [-0.35 * (number + 1)] * 2, color=INK, linewidth=3.2)
    for position, index in enumerate(order):
        on_left = position < half
        row = position if on_left else len(order) - 1 - position
        level = base - 0.62 * (row + 0.5)
        edge = 0.7 if on_left else len(order) + 0.3
        standing = contest.standings[index]
        colour = styles[standing.method].colour
        axes.plot([places[index], places[index], edge], [0, level, level], color=colour, lw=1.4)
        label(axes, edge, level, f"{standing.title}  {places[index]:.2f}", on_left)
    scale(axes, len(order), friedman.critical_difference)
    axes.set_ylim(base - 0.62 * (half + 0.2), 1.3)
    return figure


def label(axes: Axes, x: float, y: float, text: str, on_left: bool) -> None:
    """A method's name outside of its line's end."""
    axes.annotate(
        text,
        (x, y),
        xytext=(-5 if on_left else 5, 0),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="center_baseline",
        parse_math=False,
    )


def scale(axes: Axes, methods: int, critical: float) -> None:
    """The line of places, above it how long the critical difference is, and nothing else."""
    axes.axis("off")
    axes.set_xlim(0.4, methods + 0.6)
    axes.plot([1, methods], [0, 0], color=MUTED, linewidth=1)
    for place in range(1, methods + 1):
        axes.plot([place, place], [0, 0.14], color=MUTED, linewidth=1)
        axes.annotate(f"{place}", (place, 0.24), ha="center", color=MUTED)
    end = min(1 + critical, methods + 0.5)
    axes.plot([1, end], [0.85, 0.85], color=INK, linewidth=1.4)
    for x in (1, end):
        axes.plot([x, x], [0.75, 0.95], color=INK, linewidth=1.4)
    axes.annotate(f"critical difference {critical:.2f}", (1, 1.02), ha="left")


def cliques(places: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """(first, last) of every longest run of at least two ascending places within `critical`."""
    found: list[tuple[int, int]] = []
    for first, place in enumerate(places):
        last = max(i for i, other in enumerate(places) if other - place < critical)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
