"""The ways of choosing points side by side: CSV (every digit), Markdown and HTML (as printed)."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.aggregate import Choice, Entry, Pick, Protocol
from plumbline.aggregate.protocol import BEST_PER_COLUMN, BEST_POINT, SELECTED
from plumbline.report.tables import csv_text, markdown_lines
from plumbline.report.templates import render
from plumbline.report.words import rank_text

#: Header and lines.
Sheet = tuple[list[str], list[list[str]]]
WAYS = (SELECTED, BEST_POINT, BEST_PER_COLUMN)
NOTE = (
    "Selected: the point that validation chose, the only one that may be claimed. Best point, best "
    "per column: picked on these test scores, as papers do that print the best over a grid. "
    "Optimism: what picking on test adds in a column, never negative. In brackets its 95 % "
    "interval over items, with a new pick in each of 2,000 resamples, seeds as they are; without "
    "brackets the number is no mean over items. Default: the values of the method's file; – where "
    "the grid lacks them. *: fewer points than the budget of {budget}."
)


def to_csv(protocol: Protocol) -> str:
    """One line for each method and column, in every digit."""
    header = [
        *("method", "column", "selected_point", "selected", "best_point", "best"),
        *("optimism", "low", "high", "default_point", "default"),
    ]
    lines = [
        [
            *(entry.title, entry.heading.key, *fields(entry.selected), *fields(entry.best)),
            *(entry.optimism, entry.low, entry.high, *fields(entry.default)),
        ]
        for entry in protocol.entries
    ]
    return csv_text([header, *lines])


def fields(pick: Pick | None) -> tuple[str | None, float | None]:
    """A point and its value, empty where there is none."""
    return (pick.point, pick.value) if pick else (None, None)


def to_markdown(protocol: Protocol) -> str:
    """Average ranks by each way of choosing, then every method and column."""
    sheets = rank_sheet(protocol), entry_sheet(protocol.entries)
    return "\n".join([*(markdown_lines(*sheet) for sheet in sheets), note(protocol), ""])


def to_html(protocol: Protocol) -> str:
    """The same as an HTML fragment, escaped."""
    sheets = {"ranks": rank_sheet(protocol), "entries": entry_sheet(protocol.entries)}
    return render("protocol.html.j2", note=note(protocol), **sheets)


def note(protocol: Protocol) -> str:
    """How to read it."""
    return NOTE.format(budget=protocol.budget)


def rank_sheet(protocol: Protocol) -> Sheet:
    """Header and lines of the ranks."""
    header = ["Method", "Points tried", *(f"Average rank, {way}" for way in WAYS), "Best point"]
    return header, [rank_line(each) for each in protocol.choices]


def rank_line(choice: Choice) -> list[str]:
    """A method's ranks."""
    tried = f"{choice.tried}{'*' if choice.fewer else ''}"
    ranks = [rank_text(choice.ranks[way]) for way in WAYS]
    return [choice.title, tried, *ranks, choice.points[BEST_POINT]]


def entry_sheet(entries: Sequence[Entry]) -> Sheet:
    """Header and lines of the columns."""
    header = ["Method", "Column", "Selected", "Best on test", "Optimism", "Default"]
    return header, [entry_line(each) for each in entries]


def entry_line(entry: Entry) -> list[str]:
    """A method in a column."""
    column = entry.heading
    digits = column.column.digits
    return [
        entry.title,
        f"{column.group} {column.column.title}",
        pick_text(entry.selected, digits),
        pick_text(entry.best, digits),
        optimism_text(entry, digits),
        pick_text(entry.default, digits),
    ]


def pick_text(pick: Pick | None, digits: int) -> str:
    """`12.34 at beta=0.1`, or a dash."""
    return f"{pick.value:.{digits}f} at {pick.point}" if pick else "–"


def optimism_text(entry: Entry, digits: int) -> str:
    """`1.20 [0.00, 2.40]`."""
    if entry.optimism is None:
        return "–"
    text = f"{entry.optimism:.{digits}f}"
    if entry.low is None:
        return text
    return f"{text} [{entry.low:.{digits}f}, {entry.high:.{digits}f}]"


def protocol_files(protocol: Protocol) -> dict[str, str]:
    """File name -> text."""
    return {"protocol.csv": to_csv(protocol), "protocol.md": to_markdown(protocol)}
