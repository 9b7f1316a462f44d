"""How sure a table's numbers are: intervals, differences, places, and tests, from its items.

Of methods' means, only the tested points count, and every run's own items. Of differences, items
that both methods have. Of places, the methods and columns that the table ranks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.aggregate.columns import Heading, fits
from plumbline.aggregate.ranks import RankRule
from plumbline.aggregate.table import Line, TableOne
from plumbline.contracts import Metric
from plumbline.errors import ConfigError
from plumbline.stats import best, blocks, chance, effect, missing, places, power, pseudo
from plumbline.stats.components import components
from plumbline.stats.intervals import differences, means
from plumbline.stats.items import Scores, by_run, dense, shared
from plumbline.stats.resampling import table_draws

Row = dict[str, Any]
#: Item -> value by (method, seed), of one column.
Runs = dict[tuple[str, int], Mapping[str, float | None]]
#: Draws by chance, fewer where there are many pairs of methods; resamples; the seed of both.
DRAWS, PAIRS_DRAWN, RESAMPLES, SEED = 9_999, 2_000_000, 10_000, 0


@dataclass(frozen=True)
class Source:
    """A benchmark's own functions and metrics. pseudo_values: None where it has none."""

    summarise: pseudo.Summarise
    pseudo_values: Callable[[list[Row]], Mapping[str, Mapping[str, float]]] | None
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class Gap:
    """A method's mean less another's, with its 95 % interval.

    effect: in standard deviations of the items' differences. superiority: probability of the
    higher score on an item. items, seeds: how many would tell the two apart with a power of 80 %,
    None where no number would.
    """

    against: str
    value: float
    low: float
    high: float
    effect: float
    superiority: float
    items: float | None
    seeds: float | None


@dataclass(frozen=True)
class Certainty:
    """A cell's 95 % interval. seeds, items: what it is made of; freedom: degrees of freedom.

    gap: None for the method that the others are held against. missing: None where every item has a
    value, else what the others could have made of the mean.
    """

    heading: Heading
    title: str
    value: float
    low: float
    high: float
    freedom: float
    seeds: int
    items: int
    gap: Gap | None
    missing: missing.Bounds | None


@dataclass(frozen=True)
class Standing:
    """A ranked method. rank: its average rank; low, high: within which it lies, for all methods and
    columns at once with 95 %; places: (lowest, highest) in each column; best: probability of the
    best average rank."""

    method: str
    title: str
    rank: float
    low: float
    high: float
    places: tuple[tuple[int, int], ...]
    best: float


@dataclass(frozen=True)
class Contest:
    """All ranked methods together.

    p: of the test that all are equal; limit: normal deviates from which two differ. blocks: the
    columns of each, by their keys. friedman: None with fewer than two blocks or three methods.
    """

    headings: tuple[Heading, ...]
    standings: tuple[Standing, ...]
    p: float
    limit: float
    blocks: tuple[tuple[str, ...], ...]
    friedman: blocks.Friedman | None


@dataclass(frozen=True)
class Uncertainty:
    """contest: None where fewer than two methods are ranked, or on fewer than two items."""

    cells: tuple[Certainty, ...]
    contest: Contest | None


def uncertainty(
    rows: Iterable[Row],
    items: Iterable[Row],
    table: TableOne,
    sources: Mapping[str, Source],
    baseline: str = "",
) -> Uncertainty:
    """How sure a table is.

    rows: the `rows.RESULT` that it shows. items: `rows.ITEM` of its setting. sources: by benchmark.
    baseline: the method that others are held against; "" for each column's best. ConfigError for
    one that is not in the table.
    """
    if baseline and baseline not in (line.method for line in table.lines):
        known = ", ".join(line.method for line in table.lines)
        raise ConfigError(f"report.baseline: got {baseline!r}; must be one of {known}")
    tested = [row for row in rows if row["split"] == "test" and row["value"] is not None]
    found = by_evaluation(items, {line.method: line.point for line in table.lines})
    columns = {h.key: column_runs(tested, h, found, sources) for h in table.headings}
    cells = tuple(
        cell
        for index, heading in enumerate(table.headings)
        for cell in column_cells(
            table,
            index,
            columns[heading.key],
            sources[heading.column.benchmark].metrics[heading.column.metric],
            baseline,
        )
    )
    return Uncertainty(cells, contest(table, columns))


def by_evaluation(
    items: Iterable[Row], points: Mapping[str, str]
) -> dict[tuple[str, int, str], list[Row]]:
    """(method, seed, benchmark) -> test items at the method's point."""
    found: dict[tuple[str, int, str], list[Row]] = {}
    for item in items:
        if item["split"] == "test" and points.get(item["method"]) == item["point"]:
            key = (item["method"], item["seed"], item["benchmark"])
            found.setdefault(key, []).append(item)
    return found


def column_runs(
    rows: Sequence[Row],
    heading: Heading,
    items: Mapping[tuple[str, int, str], list[Row]],
    sources: Mapping[str, Source],
) -> Runs:
    """The items of every run that has a number under a heading."""
    column = heading.column
    return {
        (row["method"], row["seed"]): item_values(
            items[row["method"], row["seed"], column.benchmark],
            column.metric,
            row["value"],
            sources[column.benchmark],
        )
        for row in rows
        if fits(row, heading)
    }


def item_values(
    items: list[Row], metric: str, told: float, source: Source
) -> Mapping[str, float | None]:
    """A run's values of a metric whose mean is the number told: those of its items, or else
    pseudo-values, moved to have it as their mean."""
    values = next(iter(by_run(items, metric).values()), {})
    there = [value for value in values.values() if value is not None]
    if there and np.isclose(np.mean(there), told, rtol=0, atol=1e-6):
        return values
    found = source.pseudo_values(items) if source.pseudo_values else {}
    if metric not in found:
        found = pseudo.pseudo_values(items, source.summarise)
    parts = found.get(metric, {})
    move = told - np.mean(list(parts.values())) if parts else 0
    return {name: value + move for name, value in parts.items()}


def of_methods(runs: Runs, methods: Sequence[str]) -> Scores:
    """The items that all runs of some methods have."""
    return shared(all_of(runs, methods))


def all_of(runs: Runs, methods: Sequence[str]) -> Scores:
    """All items of some methods' runs."""
    return dense({run: items for run, items in runs.items() if run[0] in methods}, methods)


def column_cells(
    table: TableOne, index: int, runs: Runs, metric: Metric, baseline: str
) -> Iterable[Certainty]:
    """One column's cells, of the methods that have two items or more."""
    other = baseline or leader(table, index)
    titles = {line.method: line.title for line in table.lines}
    for line in table.lines:
        own = of_methods(runs, [line.method])
        if len(own.items) < 2:
            continue
        found = means(components(own.values))
        yield Certainty(
            table.headings[index],
            line.title,
            *(float(each[0]) for each in (found.estimate, found.low, found.high, found.freedom)),
            seeds=own.values.shape[1],
            items=len(own.items),
            gap=gap(runs, line.method, other, titles) if other != line.method else None,
            missing=gaps_of(all_of(runs, [line.method]), metric),
        )


def leader(table: TableOne, index: int) -> str:
    """The method whose cell is its column's best, the first of several; "" for none."""
    return next((line.method for line in table.lines if line.cells[index].best), "")


def gap(runs: Runs, method: str, other: str, titles: Mapping[str, str]) -> Gap | None:
    """A method against another on the items of both; None where these are fewer than two."""
    if not other:
        return None
    both = of_methods(runs, [method, other])
    if len(both.items) < 2 or not both.runs.any(axis=1).all():
        return None
    found = components(both.values)
    apart, need = differences(found), power.needed(found)
    one, two = (each[there] for each, there in zip(both.values, both.runs, strict=True))
    return Gap(
        titles[other],
        *(float(each[0, 1]) for each in (apart.estimate, apart.low, apart.high)),
        effect=float(effect.paired_effect(found)[0, 1]),
        superiority=effect.superiority(one, two),
        items=finite(need.items[0, 1]),
        seeds=finite(need.seeds[0, 1]),
    )


def finite(number: float) -> float | None:
    """The number, None for infinity."""
    return float(number) if np.isfinite(number) else None


def gaps_of(scores: Scores, metric: Metric) -> missing.Bounds | None:
    """What missing items could have made of a method's mean."""
    if not np.isnan(scores.values).any():
        return None
    return missing.bounds(scores.values[0], metric.low, metric.high)


def contest(table: TableOne, columns: Mapping[str, Runs]) -> Contest | None:
    """The ranked methods in the ranked columns, where each has two items or more."""
    lines = [line for line in table.lines if line.rank.places]
    headings = table.ranked_headings
    scores = [of_methods(columns[h.key], [line.method for line in lines]) for h in headings]
    if len(lines) < 2 or any(len(each.items) < 2 for each in scores):
        return None
    higher = np.array([heading.better == "higher" for heading in headings])
    found = [components(each.values) for each in scores]
    generator = np.random.default_rng(SEED)
    draws = int(np.clip(2 * PAIRS_DRAWN // len(lines) ** 2, 999, DRAWS))
    by_chance = chance.largest_by_chance(found, draws, generator)
    limit = chance.limit(by_chance)
    above = np.stack([places.above(each, limit) for each in found])
    above = np.where(higher[:, None, None], above, above.swapaxes(1, 2))
    block = same_items(headings, scores)
    return Contest(
        headings,
        standings(lines, above, chances(scores, block, higher, table.rule)),
        float(chance.p_value(chance.largest_seen(found), by_chance)),
        float(limit),
        members(headings, block),
        of_blocks(lines, block),
    )


def chances(
    scores: Sequence[Scores], block: Sequence[int], higher: np.ndarray, rule: RankRule
) -> np.ndarray:
    """(M,): each method's probability of the best average rank."""
    generator = np.random.default_rng(SEED)
    drawn = table_draws([each.values for each in scores], block, RESAMPLES, generator)
    return best.probability_best(best.average_places(drawn, higher, rule.ties))


def standings(
    lines: Sequence[Line], above: np.ndarray, chances: np.ndarray
) -> tuple[Standing, ...]:
    """Each ranked method's. above: (columns, M, M)."""
    lowest, highest = places.place_interval(above)
    low, high = places.average_place_interval(above)
    return tuple(
        Standing(
            line.method,
            line.title,
            line.rank.value,
            float(low[index]),
            float(high[index]),
            tuple(zip(lowest[:, index].tolist(), highest[:, index].tolist(), strict=True)),
            float(chances[index]),
        )
        for index, line in enumerate(lines)
    )


def same_items(headings: Sequence[Heading], scores: Sequence[Scores]) -> list[int]:
    """For each column, the first one of its benchmark that is about the same items: itself or one
    before it."""
    about = [(h.column.benchmark, each.items) for h, each in zip(headings, scores, strict=True)]
    return [about.index(each) for each in about]


def members(headings: Sequence[Heading], block: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """The columns of each block, by key."""
    return tuple(
        tuple(h.key for h, each in zip(headings, block, strict=True) if each == first)
        for first in dict.fromkeys(block)
    )


def of_blocks(lines: Sequence[Line], block: Sequence[int]) -> blocks.Friedman | None:
    """Friedman's test over blocks."""
    if len(lines) < 3 or len(set(block)) < 2:
        return None
    costs = blocks.block_costs(np.array([line.rank.places for line in lines]).T, block)
    return blocks.friedman(costs)
