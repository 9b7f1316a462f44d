"""What must stand beside a table: seeds, judges, points, rank rule, gaps, contamination."""

from collections.abc import Iterable, Mapping, Sequence

from plumbline.aggregate.cells import Cell, Clean
from plumbline.aggregate.columns import Heading
from plumbline.aggregate.ranks import RankRule
from plumbline.aggregate.table import Line, TableOne

TIE_WORDS = {
    "min": "ties share the better rank",
    "average": "ties share the mean of their ranks",
}
#: Stands at a number some of whose items are in the training prompts.
CONTAMINATED = "†"
#: Stands at a column in which a control does better than it may.
BROKEN = "‡"
BRACKETS = "in brackets the number without them, – where there is none"
UNRANKED_WORDS = {"last": "is not ranked and stands last", "omit": "is not ranked"}


def notes(
    table: TableOne, seeds: Sequence[int], facts: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """All notes of a table as (label, text), without the empty ones."""
    pairs = {
        "Cells": cells_note(seeds),
        **facts,
        "Judges": judges_note(table),
        "Points": points_note(table.lines),
        "Average rank": rank_note(table),
        "Gaps": "; ".join(gaps(table)),
        f"{CONTAMINATED} Contaminated": contamination_note(table),
        f"{BROKEN} Broken by a control": broken_note(table),
    }
    return tuple((label, text) for label, text in pairs.items() if text)


def cells_note(seeds: Sequence[int]) -> str:
    """What a cell is made of."""
    bold = "Bold: the best complete cell of its column."
    if len(seeds) < 2:
        return f"One seed ({listing(seeds) or 'none'}), so no spread is known. {bold}"
    return (
        f"Mean over seeds {listing(seeds)} ± sample standard deviation over seeds; "
        f"a cell without ± has one seed. {bold}"
    )


def judges_note(table: TableOne) -> str:
    """Which judge gave which columns, with the stamp of those that measure nothing."""
    return "; ".join(
        f"{h.group} {h.column.title}: {h.judge_label}" + (f" ({h.stamp})" if h.stamp else "")
        for h in table.headings
        if h.judge
    )


def points_note(lines: Iterable[Line]) -> str:
    """The hyperparameters each method was tested at."""
    tuned = [line for line in lines if line.point not in ("", "default")]
    return "; ".join(f"{line.title} {line.point}" for line in tuned)


def rank_note(table: TableOne) -> str:
    """Who is ranked over what, how ties break, and who has no rank; "" without any rank."""
    columns = len(table.ranked_headings)
    if not columns:
        return ""
    ranked = [line.title for line in table.lines if line.rank.places]
    rule = (
        f"Mean over {counted(columns, 'column')} of the place among {listing(ranked)}; "
        f"{TIE_WORDS[table.rule.ties]}"
    )
    parts = [
        rule if ranked else "Nobody is ranked",
        *unranked_parts(table.lines, table.rule),
        *([f"stamped {table.rank_stamp}"] if table.rank_stamp else []),
    ]
    return "; ".join(parts) + "."


def unranked_parts(lines: Iterable[Line], rule: RankRule) -> list[str]:
    """A phrase for each method without places of its own."""
    outside = {line.method: line for line in lines if not line.rank.places}
    ranked = rule.ranked([line.method for line in lines])
    return [
        f"{line.title}: – ({line.rank.reason})"
        if name in ranked or name in rule.barred
        else f"{line.title} {UNRANKED_WORDS[rule.unranked]}"
        for name, line in outside.items()
    ]


def gaps(table: TableOne) -> list[str]:
    """One phrase for each method and kind of gap: where, what happened, why."""
    return [
        f"{line.title}, {where(headings, len(table.headings))}: {words}"
        for line in table.lines
        for words, headings in gaps_of(line, table.headings).items()
    ]


def gaps_of(line: Line, headings: Iterable[Heading]) -> dict[str, list[Heading]]:
    """What happened -> the columns it happened in, for the cells that are not complete."""
    found: dict[str, list[Heading]] = {}
    for heading, cell in zip(headings, line.cells, strict=True):
        if not cell.complete:
            found.setdefault(gap_words(cell), []).append(heading)
    return found


def broken_note(table: TableOne) -> str:
    """Which control breaks which column; "" without any."""
    return "; ".join(f"{where([h], 0)}: {h.broken}" for h in table.headings if h.broken)


def contamination_note(table: TableOne) -> str:
    """What the marks mean, column by column; "" without any."""
    phrases = {
        f"{where([heading], 0)}: {contaminated_words(clean)}": None
        for index, heading in enumerate(table.headings)
        for line in table.lines
        if (clean := line.cells[index].clean)
    }
    return "; ".join([*phrases, BRACKETS]) if phrases else ""


def contaminated_words(clean: Clean) -> str:
    """How many items of a run are in the training prompts."""
    return f"{clean.n} of {counted(clean.of, 'item')} also in the training prompts"


def where(headings: Sequence[Heading], of: int) -> str:
    """The columns by name, or all of them at once."""
    if len(headings) == of:
        return "every column"
    return listing(f"{heading.group} {heading.column.title}" for heading in headings)


def gap_words(cell: Cell) -> str:
    """The status in words, with what the number, if there is one, was made from."""
    words = cell.status.replace("_", " ")
    if cell.value is not None and cell.n < cell.n_expected:
        words += f", {cell.n} of {cell.n_expected} items"
    if cell.value is not None:
        words += f", mean of {counted(cell.n_seeds, 'seed')}"
    return f"{words} ({cell.reason})" if cell.reason else words


def listing(things: Iterable[object]) -> str:
    """`a, b, c`."""
    return ", ".join(map(str, things))


def counted(number: int, noun: str) -> str:
    """`1 seed`, `2 seeds`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
