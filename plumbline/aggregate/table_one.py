"""Table 1: methods down, benchmarks across, an average rank at the end."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plumbline.aggregate.cells import Cell, cell, records
from plumbline.aggregate.columns import Column, Heading, headings_of, in_column
from plumbline.aggregate.controls import Control, broken
from plumbline.aggregate.notes import notes
from plumbline.aggregate.ranks import SFT, Rank, RankRule, average_ranks, level
from plumbline.aggregate.table import Line, TableOne, rankable
from plumbline.errors import DataError


def table_one(
    rows: Any,
    columns: Sequence[Column],
    rank: RankRule,
    *,
    methods: Sequence[str] = (),
    single: Collection[str] = (SFT,),
    titles: Mapping[str, str] | None = None,
    facts: Mapping[str, str] | None = None,
    controls: Mapping[str, Control] | None = None,
    stamp: str = "",
) -> TableOne:
    """Build Table 1 from the test rows of one setting; rows of other splits are passed over.

    rows: `rows.RESULT` dicts or a DataFrame, one point per method. methods: who must appear, in
    order, whether or not they have rows; the default is everyone with rows, SFT first.
    single: who has one model, whatever the seed. titles: how methods are printed. facts: further
    notes (data, model, selection rule, versions). controls: method -> what it is a control of; a
    column that one of them breaks says so in its heading.
    stamp: printed in every cell.
    Numbers of different judges or benchmark versions never share a column: they get one each.
    Raises DataError for rows of several settings or of several points of a method.
    """
    rows = [row for row in records(rows) if row["split"] == "test"]
    headings = tuple(heading for column in columns for heading in headings_of(rows, column))
    by_method = {name: [] for name in tuple(methods) or row_order(rows)}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    seeds = sorted({row["seed"] for row in rows if row["method"] not in single})
    cells = {
        name: cells_of(own, headings, seeds_of(own, () if name in single else seeds), stamp)
        for name, own in by_method.items()
    }
    ranks = rank_methods(cells, headings, rank)
    titles = {SFT: "SFT", **(titles or {})}
    faults = broken(headings, cells, controls or {}, titles)
    headings = tuple(replace(h, broken=f) for h, f in zip(headings, faults, strict=True))
    lines = tuple(
        Line(name, titles.get(name, name), only(own, "point"), tuple(cells[name]), ranks[name])
        for name, own in by_method.items()
    )
    marked = mark_best(lines, headings, rank.barred)
    table = TableOne(only(rows, "setting"), headings, marked, rank, ())
    return replace(table, notes=notes(table, seeds, facts or {}))


def row_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    """SFT, then the other methods as they first appear."""
    seen = dict.fromkeys(row["method"] for row in rows)
    return sorted(seen, key=lambda name: name != SFT)


def seeds_of(own: Sequence[dict[str, Any]], seeds: Sequence[int]) -> Sequence[int]:
    """The seeds a method should have, or, where nobody says, those it has."""
    return seeds or sorted({row["seed"] for row in own})


def cells_of(
    own: Sequence[dict[str, Any]], headings: Iterable[Heading], seeds: Sequence[int], stamp: str
) -> list[Cell]:
    """A method's cells, one per heading."""
    return [cell(in_column(own, heading, seeds), stamp) for heading in headings]


def only(rows: Iterable[dict[str, Any]], key: str) -> str:
    """The one value of a column, "" for null or without rows. Raises DataError for several."""
    rows = list(rows)
    found = sorted({row[key] or "" for row in rows})
    if len(found) > 1:
        raise DataError(
            f"table_one: {key} takes {len(found)} values ({', '.join(found)}) in the rows of "
            f"{', '.join(sorted({row['method'] for row in rows}))}; a table has one: filter first"
        )
    return found[0] if found else ""


def rank_methods(
    cells: Mapping[str, Sequence[Cell]], headings: Sequence[Heading], rule: RankRule
) -> dict[str, Rank]:
    """Average ranks over the columns that can be ranked; only complete cells compete."""
    table = {
        name: {h.key: c.value if c.complete else None for h, c in zip(headings, row, strict=True)}
        for name, row in cells.items()
    }
    columns = {h.key: h.better for h in rankable(headings, list(cells.values()))}
    return rank_values(table, columns, rule)


def rank_values(
    table: Mapping[str, Mapping[str, float | None]], columns: Mapping[str, str], rule: RankRule
) -> dict[str, Rank]:
    """Average ranks by a rule. table: method -> column -> value, None for a gap; columns: column ->
    direction."""
    competing = {name: row for name, row in table.items() if name not in rule.barred}
    ranks = average_ranks(
        competing,
        ranked=rule.ranked(table),
        columns=columns,
        ties=rule.ties,
        unranked=rule.unranked,
    )
    return ranks | {name: Rank(None, reason=why) for name, why in rule.barred.items()}


def mark_best(
    lines: Sequence[Line], headings: Sequence[Heading], barred: Container[str]
) -> tuple[Line, ...]:
    """Mark the best complete cell of each column that has a direction, all of them when level; a
    barred method sets no mark to beat."""
    competing = [line for line in lines if line.method not in barred]
    peaks = [peak([line.cells[i] for line in competing], h.better) for i, h in enumerate(headings)]
    return tuple(
        replace(
            line,
            cells=tuple(
                replace(c, best=c.complete and line in competing and level(c.value) == best)
                for c, best in zip(line.cells, peaks, strict=True)
            ),
        )
        for line in lines
    )


def peak(cells: Iterable[Cell], better: str) -> float | None:
    """The best complete value of a column, None where there is none or no direction."""
    values = [level(c.value) for c in cells if c.complete]
    choose = {"higher": max, "lower": min}.get(better)
    return choose(values) if choose and values else None
