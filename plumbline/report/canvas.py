"""Matplotlib without pyplot: figures with our look, written out with reproducible bytes."""

import io
from collections.abc import Iterable
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from plumbline.report.styles import INK, MUTED, PAPER, RULE, Style

LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",
    "svg.hashsalt": "plumbline",
}
#: Sizes of letters in points: of a line's title, and of what stands beside a point.
LABEL_POINTS, POINT_LABEL = 9.0, 7.5
LINE_HEIGHT = 1.35


#: Decorates a function that draws, so that all it makes has our look.
with_our_look = matplotlib.rc_context(LOOK)


def panels(rows: int, columns: int, *, width: float, height: float, **subplots: object) -> tuple:
    """A figure of rows x columns axes; width and height in inches.

    Returns (figure, 2-d array of axes).
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


@with_our_look
def to_svg(figure: Figure) -> str:
    """The figure as an SVG file: same figure, same bytes."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


@with_our_look
def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file at 200 dots per inch: same figure, same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=200, metadata={"Software": None})
    return stream.getvalue()


class Text(NamedTuple):
    """What stands beside a point; lines: how many lines of text it stands above it."""

    words: str
    colour: str
    lines: float


def label_ends(axes: Axes, ends: Iterable[tuple[float, float, Style]]) -> None:
    """Write each line's title to the right of the axes, level with its end (x, y), none on another.

    A line that ends early gets a cross and a dotted leader. Call it once the limits are final.
    """
    ends = sorted(ends, key=lambda end: end[1])
    low, high = axes.get_ylim()
    heights = [(y - low) / (high - low) for _, y, _ in ends]
    gap = line_height(axes, LABEL_POINTS)
    last = max((x for x, _, _ in ends), default=0)
    for (x, y, style), height in zip(ends, spread(heights, gap), strict=True):
        if x < last:
            axes.plot(x, y, "x", color=style.colour, markersize=6, markeredgewidth=1.8)
        axes.annotate(
            "",
            xy=(x, y),
            xycoords="data",
            xytext=(1.035, height),
            textcoords="axes fraction",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": style.colour,
                "linewidth": 0.9,
                "linestyle": ":" if x < last else "-",
                "shrinkA": 0,
            },
        )
        axes.annotate(
            style.title,
            xy=(1.045, height),
            xycoords="axes fraction",
            va="center_baseline",
            size=LABEL_POINTS,
            parse_math=False,
        )


def label_points(axes: Axes, points: Iterable[tuple[float, float, Text]]) -> None:
    """Write a text beside each point (x, y), none on another, towards the middle.

    Call it once the limits are final. Texts lie above the grid, below lines of ordinary zorder.
    """
    middle, (low, high) = sum(axes.get_xlim()) / 2, axes.get_ylim()
    line = line_height(axes, POINT_LABEL)
    levels = sorted(
        ((y - low) / (high - low) + line * text.lines, x, text) for x, y, text in points
    )
    heights = spread([level for level, *_ in levels], line)
    for (_, x, text), height in zip(levels, heights, strict=True):
        axes.annotate(
            text.words,
            xy=(x, height),
            xycoords=("data", "axes fraction"),
            xytext=(-9 if x > middle else 9, 0),
            textcoords="offset points",
            ha="right" if x > middle else "left",
            va="center_baseline",
            size=POINT_LABEL,
            color=text.colour,
            bbox={"facecolor": PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0},
            zorder=1.5,
            parse_math=False,
            in_layout=False,
        )


def line_height(axes: Axes, size: float) -> float:
    """What a line of text takes of the axes' height; size: of its letters, in points."""
    return size * LINE_HEIGHT / (axes.get_window_extent().height / axes.figure.dpi * 72)


def spread(heights: list[float], gap: float) -> list[float]:
    """Move ascending heights apart to at least `gap`, each as little as can be.

    Neighbours that are too near form a block that keeps its centre; blocks that then meet merge.
    """
    blocks: list[tuple[float, int]] = []  # (centre, members)
    for height in heights:
        centre, members = height, 1
        while blocks and centre - blocks[-1][0] < gap * (members + blocks[-1][1]) / 2:
            other, count = blocks.pop()
            centre = (centre * members + other * count) / (members + count)
            members += count
        blocks.append((centre, members))
    return [
        centre + gap * (index - (members - 1) / 2)
        for centre, members in blocks
        for index in range(members)
    ]
