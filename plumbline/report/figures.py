"""The figures of the report. Each function takes rows and returns a matplotlib Figure.

`canvas.to_svg` and `canvas.to_png` write them out. A line carries its method's name at its end and
the same colour in every figure (`styles.method_styles`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plumbline.aggregate import Cell, Grid, GridRow, TableOne, records
from plumbline.report.canvas import Text, label_ends, label_points, panels, with_our_look
from plumbline.report.curves import Curve, curve, from_start, series
from plumbline.report.pro_curves import regularizer, regularizer_gradient
from plumbline.report.styles import INK, MUTED, PAPER, PAPER_METHODS, Style
from plumbline.schema import Prompts

Ends = list[tuple[float, float, Style]]
Runs = dict[str, list[dict[str, Any]]]

#: What a method learns from, in the order of the paper, and how a figure calls it.
KINDS = {"pairs": "Pairwise feedback", "singles": "Binary feedback", "lists": "Scalar feedback"}

#: (alpha, beta) drawn by `pro_figure`: equal products start alike, equal alphas end alike.
PRO_POINTS = ((1.0, 1.0), (1.0, 3.0), (3.0, 1.0), (3.0, 3.0))
#: How `shares` draws an order of prompts.
ORDERS = {"highest": "#882255", "random": MUTED, "lowest": "#44AA99"}


@with_our_look
def log_ratios(
    dynamics: Any, points: Mapping[str, str], styles: Mapping[str, Style], split: str = "probe"
) -> Figure:
    """Log-ratio of chosen and of rejected completions against the step, on one scale.

    dynamics: `rows.DYNAMICS` dicts or a DataFrame, with method, point and seed. points: the point
    each method is drawn at; methods without one are left out. Band: least to greatest seed.
    """
    runs = runs_at(dynamics, points)
    figure, ((left, right),) = panels(1, 2, width=8.8, height=3.3, sharey=True)
    ends = {}
    for axes, metric, title in (
        (left, "chosen_logratio", "Chosen completions"),
        (right, "rejected_logratio", "Rejected completions"),
    ):
        curves = {
            name: curve(series(rows, split=split, metric=metric)) for name, rows in runs.items()
        }
        ends[axes] = draw(axes, curves, styles)
        describe(axes, title, "log π/π_ref (nats)" if axes is left else "", "step")
        axes.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    return finish(figure, ends)


@with_our_look
def likelihoods(
    dynamics: Any,
    points: Mapping[str, str],
    styles: Mapping[str, Style],
    feedback: Mapping[str, str],
) -> Figure:
    """Log-probability of held-out chosen and rejected completions, a row of panels for each kind.

    The paper's Figures 4 and 5, with logarithms. feedback: method -> a key of `KINDS`; other
    arguments as in `log_ratios`. A line marks where training starts, the same for all methods.
    """
    runs = {name: rows for name, rows in runs_at(dynamics, points).items() if rows}
    kinds = [kind for kind in KINDS if kind in {feedback[name] for name in runs}]
    size = {"width": 8.8, "height": 0.6 + 2.5 * len(kinds)}
    figure, grid = panels(len(kinds), 2, **size, sharex=True, sharey=True)
    ends = {}
    for kind, row in zip(kinds, grid, strict=True):
        for axes, side in zip(row, ("chosen", "rejected"), strict=True):
            curves = {
                name: curve(series(rows, split="probe", metric=f"{side}_logprob"))
                for name, rows in runs.items()
                if feedback[name] == kind
            }
            ends[axes] = draw(axes, curves, styles)
            for start in [each.mean[0] for each in curves.values() if each.steps][:1]:
                axes.axhline(start, color=MUTED, linewidth=0.9, zorder=1)
            bottom = "step" if kind == kinds[-1] else ""
            label = "log π (nats)" if side == "chosen" else ""
            describe(axes, f"{KINDS[kind]}: {side}", label, bottom)
    return finish(figure, ends)


@with_our_look
def progress(
    dynamics: Any,
    points: Mapping[str, str],
    styles: Mapping[str, Style],
    metrics: Mapping[str, str],
    split: str = "validation",
) -> Figure:
    """Answers while training: levels above, change since the first evaluation below.

    The lower row is the paper's Figure 2. metrics: name -> title, one column each, such as length
    and win rate. Other arguments as in `log_ratios`.
    """
    runs = runs_at(dynamics, points)
    figure, grid = panels(2, len(metrics), width=4.4 * len(metrics), height=5.6, sharex=True)
    ends = {}
    for (metric, title), (upper, lower) in zip(metrics.items(), grid.T, strict=True):
        found = {name: series(rows, split=split, metric=metric) for name, rows in runs.items()}
        levels = {name: curve(seeds) for name, seeds in found.items()}
        changes = {name: curve(from_start(seeds)) for name, seeds in found.items()}
        ends[upper], ends[lower] = draw(upper, levels, styles), draw(lower, changes, styles)
        describe(upper, title, "", "")
        describe(lower, "", "", "step")
        lower.axhline(0, color=MUTED, linewidth=0.9, zorder=1)
    grid[0, 0].set_ylabel("level")
    grid[1, 0].set_ylabel("change since first evaluation")
    return finish(figure, ends)


@with_our_look
def frontier(quality: Grid, cost: Grid, styles: Mapping[str, Style]) -> Figure:
    """Quality against length, or another cost of it, over each method's grid, one panel a method.

    quality, cost: two `validation_grid`s of the same rows. Grey: the other methods' paths. Ring:
    the selected point; named beside it are the grid's first and last. Cross: SFT.
    """
    paths = {
        row.method: path(row, other) for row, other in zip(quality.rows, cost.rows, strict=True)
    }
    paths = {name: found for name, found in paths.items() if found}
    tuned = [row for row in quality.rows if row.method in paths and row.method != "sft"]
    columns = min(3, max(1, len(tuned)))
    rows = -(-max(1, len(tuned)) // columns)
    figure, grid = panels(
        rows, columns, width=8.8, height=0.5 + 2.5 * rows, sharex=True, sharey=True
    )
    for axes in grid.flat[len(tuned) :]:
        axes.set_visible(False)
    drawn = list(zip(grid.flat, tuned, strict=False))
    for axes, row in drawn:
        draw_path(axes, row, paths, styles)
    for axes, row in drawn:  # panels share limits, which the last one may have moved
        label_path(axes, row, paths[row.method])
    figure.supxlabel(cost.column.title, color=MUTED, size=9)
    figure.supylabel(quality.column.title, color=MUTED, size=9)
    return figure


def path(quality: GridRow, cost: GridRow) -> dict[str, tuple[float, float]]:
    """label -> (cost, quality), for the points that have both."""
    return {
        label: (cost.cells[label].value, cell.value)
        for label, cell in quality.cells.items()
        if cell.value is not None and has_value(cost.cells.get(label))
    }


def has_value(cell: Cell | None) -> bool:
    """Whether there is a number to draw."""
    return cell is not None and cell.value is not None


def draw_path(
    axes: Axes,
    row: GridRow,
    paths: Mapping[str, Mapping[str, tuple[float, float]]],
    styles: Mapping[str, Style],
) -> None:
    """One panel of `frontier`."""
    for name, points in paths.items():
        if name == "sft":
            axes.plot(*zip(*points.values(), strict=True), "x", color=INK, markersize=7, zorder=4)
        elif name != row.method:
            axes.plot(*zip(*points.values(), strict=True), color=MUTED, lw=1, alpha=0.4, zorder=1)
    colour = styles[row.method].colour
    axes.plot(*zip(*paths[row.method].values(), strict=True), "-o", color=colour, markersize=5)
    if place := paths[row.method].get(row.selected):
        axes.plot(*place, "o", markersize=11, fillstyle="none", color=INK, markeredgewidth=1.2)
    describe(axes, row.title, "", "")
    axes.margins(x=0.22, y=0.12)


def label_path(axes: Axes, row: GridRow, points: Mapping[str, tuple[float, float]]) -> None:
    """Name the grid's first and last point and the selected one."""
    texts = {label: Text(label, MUTED, -0.8) for label in (next(iter(points)), [*points][-1])}
    if row.selected in points:
        texts[row.selected] = Text(row.selected, INK, 0.8)
    label_points(axes, [(*points[label], text) for label, text in texts.items()])


@with_our_look
def ranks(table: TableOne, styles: Mapping[str, Style]) -> Figure:
    """Each ranked method's place in every column (small) and their mean (large), best on top."""
    lines = sorted((line for line in table.lines if line.rank.places), key=lambda e: -e.rank.value)
    figure, ((axes,),) = panels(1, 1, width=8.8, height=0.9 + 0.34 * max(2, len(lines)))
    for height, line in enumerate(lines):
        seen, counts = np.unique(line.rank.places, return_counts=True)
        colour = styles[line.method].colour
        axes.plot([seen[0], seen[-1]], [height, height], color=colour, linewidth=1, alpha=0.5)
        axes.scatter(seen, np.full(len(seen), height), s=16 * counts, color=colour, alpha=0.45)
        axes.plot(line.rank.value, height, "D", color=colour, markersize=9, markeredgecolor=PAPER)
        axes.annotate(
            f"{line.rank.value:.2f}",
            (line.rank.value, height),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            size=8,
        )
    axes.set_yticks(range(len(lines)), [line.title for line in lines], color=INK, parse_math=False)
    axes.set_xlim(0.6, max(2, len(lines)) + 0.4)
    axes.set_ylim(-0.6, len(lines) - 0.2)
    axes.set_xticks(range(1, max(2, len(lines)) + 1))
    axes.grid(visible=False)
    describe(
        axes, "", "", f"place (1 is best){' – ' if table.rank_stamp else ''}{table.rank_stamp}"
    )
    return figure


@with_our_look
def shares(table: TableOne, prompts: Mapping[str, Prompts]) -> Figure:
    """The table's first column by how many prompts were trained on and which, a panel a reward.

    prompts: method -> whom it learns from. Bars: standard deviation over seeds. All prompts are the
    end of every line. Dotted: aligned methods that nobody chose prompts for.
    """
    cells = {line.method: line.cells[0] for line in table.lines if has_value(line.cells[0])}
    rewards = list(dict.fromkeys(choice.reward for choice in prompts.values()))
    places = sorted({choice.share for choice in prompts.values()})
    figure, (row,) = panels(1, len(rewards), width=8.8, height=3.3, sharey=True)
    ends = {}
    for axes, reward in zip(row, rewards, strict=True):
        own = {name: item for name, item in prompts.items() if item.reward == reward}
        ends[axes] = [
            end
            for order, colour in ORDERS.items()
            for end in draw_order(axes, own, cells, places, Style(order, colour))
        ]
        for name in cells.keys() - prompts.keys() - {"sft"}:
            axes.axhline(cells[name].value, color=MUTED, linewidth=0.9, linestyle=":", zorder=1)
        axes.set_xticks(range(len(places)), [f"{100 * share:g} %" for share in places])
        describe(axes, f"Reward: {reward}", "", "share of the prompts")
    row[0].set_ylabel(table.headings[0].column.title, parse_math=False)
    return finish(figure, ends)


def draw_order(
    axes: Axes,
    prompts: Mapping[str, Prompts],
    cells: Mapping[str, Cell],
    places: Sequence[float],
    style: Style,
) -> Ends:
    """One line of `shares`; returns where it ends."""
    found = sorted(
        (places.index(item.share), cells[name].value, cells[name].spread or 0.0)
        for name, item in prompts.items()
        if name in cells and (item.order == style.title or item.share == 1)
    )
    if not found:
        return []
    x, y, spread = zip(*found, strict=True)
    axes.errorbar(x, y, spread, color=style.colour, marker="o", markersize=5, capsize=3)
    return [(x[-1], y[-1], style)]


@with_our_look
def pro_figure(points: Sequence[tuple[float, float]] = PRO_POINTS) -> Figure:
    """The PRO regularizer and its gradient over the log-ratio difference (the paper's Figure 3).

    Both are divided by beta, as in the paper: (alpha/beta) K(beta delta). points: (alpha, beta).
    """
    delta = np.linspace(-8, 8, 321)
    figure, ((left, right),) = panels(1, 2, width=8.8, height=3.3)
    colours = [colour for name, colour in PAPER_METHODS.items() if name != "sft"]
    ends = {left: [], right: []}
    for (alpha, beta), colour in zip(points, colours, strict=False):
        style = Style(f"α = {alpha:g}, β = {beta:g}", colour)
        for axes, function in ((left, regularizer), (right, regularizer_gradient)):
            values = function(delta, alpha=alpha, beta=beta)
            axes.plot(delta, values, color=colour)
            ends[axes].append((delta[-1], values[-1], style))
    describe(left, "Regularizer (α/β) K(βδ)", "", "δ, difference of log-ratios (nats)")
    describe(right, "Its gradient α (σ(βδ) − ½)", "", "δ, difference of log-ratios (nats)")
    return finish(figure, ends)


def runs_at(dynamics: Any, points: Mapping[str, str]) -> Runs:
    """The dynamics rows of each method at its point, in the order of `points`."""
    runs: Runs = {name: [] for name in points}
    for row in records(dynamics):
        if points.get(row["method"]) == row["point"]:
            runs[row["method"]].append(row)
    return runs


def draw(axes: Axes, curves: Mapping[str, Curve], styles: Mapping[str, Style]) -> Ends:
    """Draw each method's mean and band; returns where the lines end."""
    ends = []
    for name, each in curves.items():
        if not each.steps:
            continue
        style = styles[name]
        axes.fill_between(each.steps, each.low, each.high, color=style.colour, alpha=0.16, lw=0)
        axes.plot(each.steps, each.mean, color=style.colour, linestyle=style.dash)
        ends.append((each.steps[-1], each.mean[-1], style))
    axes.margins(x=0)
    return ends


def describe(axes: Axes, title: str, y_label: str, x_label: str) -> None:
    """Title and axis labels; "" for none."""
    axes.set_title(title, parse_math=False)
    axes.set_ylabel(y_label, parse_math=False)
    axes.set_xlabel(x_label, parse_math=False)


def finish(figure: Figure, ends: Mapping[Axes, Ends]) -> Figure:
    """Label the line ends, once the layout has settled how tall the axes are."""
    figure.draw_without_rendering()
    for axes, own in ends.items():
        label_ends(axes, own)
    return figure
