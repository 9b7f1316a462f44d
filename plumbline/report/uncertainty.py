"""How sure a table is: CSV (to six digits), Markdown and HTML (as printed).

Six digits and no more: what is drawn at random depends in its last bits on how a machine adds.
"""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.aggregate import Heading
from plumbline.aggregate.uncertainty import (
    RESAMPLES,
    Certainty,
    Contest,
    Gap,
    Standing,
    Uncertainty,
)
from plumbline.report.protocol import Sheet
from plumbline.report.tables import csv_text, markdown_lines
from plumbline.report.templates import render

CELL_NOTE = (
    "In brackets: 95 % intervals over items and seeds that could have been drawn; with one seed, "
    "over items, of this one model. Differences are on the items of both methods. Effect: the "
    "difference in standard deviations of the items' differences. Superior: probability of the "
    "higher score on an item, ties half. To tell apart: items at these seeds, or seeds at these "
    "items, with which the difference would show with a power of 80 %."
)
RANK_NOTE = (
    "Average ranks and places: intervals that hold for all methods and columns at once, with 95 %, "
    "where all methods vary alike from seed to seed. Best: share of {draws:,} draws of items and "
    "seeds in which the method has the best average rank."
)


def to_csv(found: Uncertainty) -> str:
    """One line for each method and column."""
    header = [
        *("column", "method", "value", "low", "high", "freedom", "seeds", "items"),
        *("against", "difference", "difference_low", "difference_high", "effect", "superiority"),
        *("items_needed", "seeds_needed", "missing", "complete_case", "worst_low", "worst_high"),
    ]
    return csv_text([header, *map(cell_fields, found.cells)])


def cell_fields(cell: Certainty) -> list[str]:
    """A line of the CSV; empty where there is nothing to say."""
    numbers = (cell.value, cell.low, cell.high, cell.freedom, cell.seeds, cell.items)
    return [
        cell.heading.key,
        cell.title,
        *map(digits, numbers),
        *gap_fields(cell.gap),
        *missing_fields(cell),
    ]


def gap_fields(gap: Gap | None) -> list[str]:
    """A difference's part of a line."""
    if gap is None:
        return [""] * 8
    numbers = (gap.value, gap.low, gap.high, gap.effect, gap.superiority, gap.items, gap.seeds)
    return [gap.against, *map(digits, numbers)]


def missing_fields(cell: Certainty) -> list[str]:
    """What missing items could have made of the mean."""
    found = cell.missing
    if found is None:
        return ["0", "", "", ""]
    return [str(found.missing), *map(digits, (found.complete, found.low, found.high))]


def digits(number: float | None) -> str:
    """Six digits that count; "" for none."""
    return "" if number is None else f"{number:.6g}"


def ranks_to_csv(contest: Contest) -> str:
    """One line for each ranked method."""
    columns = [f"{h.key}.{end}" for h in contest.headings for end in ("low", "high")]
    header = ["method", "average_rank", "low", "high", "best", *columns]
    lines = [
        [
            each.title,
            *map(digits, (each.rank, each.low, each.high, each.best)),
            *(str(end) for pair in each.places for end in pair),
        ]
        for each in contest.standings
    ]
    return csv_text([header, *lines])


def to_markdown(found: Uncertainty) -> str:
    """Ranks, tests and cells."""
    parts = []
    if found.contest:
        parts += [markdown_lines(*rank_sheet(found.contest)), listed(sentences(found.contest))]
    parts += [markdown_lines(*cell_sheet(found.cells)), listed([*gaps(found.cells), CELL_NOTE])]
    return "\n".join(parts)


def listed(texts: Sequence[str]) -> str:
    """Lines of a Markdown list."""
    return "".join(f"- {text}\n" for text in texts)


def to_html(found: Uncertainty) -> str:
    """The same as an HTML fragment, escaped."""
    contest = found.contest
    return render(
        "uncertainty.html.j2",
        ranks=rank_sheet(contest) if contest else None,
        tests=sentences(contest) if contest else [],
        cells=cell_sheet(found.cells),
        notes=[*gaps(found.cells), CELL_NOTE],
    )


def rank_sheet(contest: Contest) -> Sheet:
    """Header and lines of the ranked methods, best first."""
    header = ["Method", "Average rank", "Best", *map(heading_name, contest.headings)]
    ordered = sorted(contest.standings, key=lambda each: each.rank)
    return header, [rank_line(each) for each in ordered]


def rank_line(standing: Standing) -> list[str]:
    """A method's average rank and places."""
    return [
        standing.title,
        f"{standing.rank:.2f} [{standing.low:.2f}, {standing.high:.2f}]",
        f"{100 * standing.best:.0f} %",
        *(f"{low}" if low == high else f"{low}–{high}" for low, high in standing.places),
    ]


def sentences(contest: Contest) -> list[str]:
    """The tests, in words."""
    methods = len(contest.standings)
    verdict = "some differ" if contest.p <= 0.05 else "no method is shown to differ"
    texts = [
        f"All {methods} methods equal: {p_text(contest.p)} ({verdict}). Two differ, in any "
        f"column, from {contest.limit:.2f} normal deviates on."
    ]
    names = {heading.key: heading_name(heading) for heading in contest.headings}
    blocks = "; ".join(" + ".join(names[key] for key in block) for block in contest.blocks)
    if contest.friedman:
        told = contest.friedman
        texts.append(
            f"Friedman over {told.blocks} blocks ({blocks}): chi-squared {told.statistic:.2f}, "
            f"{p_text(told.p)}; Nemenyi's critical difference is "
            f"{told.critical_difference:.2f} places. Columns about the same answers are one block."
        )
    return [*texts, RANK_NOTE.format(draws=RESAMPLES)]


def p_text(p: float) -> str:
    """`p = 0.031`, or `p < 0.001`."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def heading_name(heading: Heading) -> str:
    """A column with its benchmark."""
    return f"{heading.group}: {heading.column.title}"


def cell_sheet(cells: Sequence[Certainty]) -> Sheet:
    """Header and lines of the cells."""
    header = ["Method", "Column", "Mean", "Less", "Difference", "Effect", "Superior"]
    return [*header, "To tell apart"], [cell_line(each) for each in cells]


def cell_line(cell: Certainty) -> list[str]:
    """A method in a column."""
    places = cell.heading.column.digits
    mean = interval_text(cell.value, cell.low, cell.high, places)
    seeds = f"{cell.seeds} seed{'s' if cell.seeds > 1 else ''}"
    start = [cell.title, heading_name(cell.heading), f"{mean}, {seeds}"]
    gap = cell.gap
    if gap is None:
        return [*start, *("–",) * 5]
    return [
        *start,
        gap.against,
        interval_text(gap.value, gap.low, gap.high, places),
        f"{gap.effect:.2f}",
        f"{gap.superiority:.2f}",
        needed_text(gap),
    ]


def interval_text(value: float, low: float, high: float, places: int) -> str:
    """`12.34 [11.20, 13.48]`."""
    return f"{value:.{places}f} [{low:.{places}f}, {high:.{places}f}]"


def needed_text(gap: Gap) -> str:
    """What it would take, as far as any number would do."""
    if gap.low > 0 or gap.high < 0:
        return "apart"
    needs = [(gap.items, "items"), (gap.seeds, "seeds")]
    return " or ".join(f"{count:,.0f} {what}" for count, what in needs if count) or "–"


def gaps(cells: Sequence[Certainty]) -> list[str]:
    """What missing items could have made of means, in words."""
    return [
        f"{cell.title}, {heading_name(cell.heading)}: {cell.missing.missing} items missing; "
        f"{cell.missing.complete:.2f} over the others, between {cell.missing.low:.2f} and "
        f"{cell.missing.high:.2f} whatever they would have been."
        for cell in cells
        if cell.missing
    ]


def uncertainty_files(found: Uncertainty) -> dict[str, str]:
    """File name -> text."""
    files = {"uncertainty.csv": to_csv(found), "uncertainty.md": to_markdown(found)}
    return files | ({"ranks.csv": ranks_to_csv(found.contest)} if found.contest else {})
