"""What a run says of a claim's number, with its noise and with what stands against comparing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot, sqrt
from statistics import fmean, stdev

import numpy as np
from scipy.stats import rankdata

from plumbline.aggregate import RankRule, average_ranks
from plumbline.aggregate.grid import parse
from plumbline.operate.claims import Claims, Mean, Measure, Ranking
from plumbline.operate.comparable import obstacles
from plumbline.operate.measured import Number
from plumbline.schema import Rank

#: Tables drawn for the noise of a rank.
DRAWS = 4000


class Missing(Exception):
    """A run has no such number; the text says which."""


@dataclass(frozen=True)
class Place:
    """Where a number belongs, by names of a run. point: parts of one, "" for the selected."""

    setting: str
    method: str
    metric: str
    point: str = ""
    table: str = ""


@dataclass(frozen=True)
class Estimate:
    """A number of a run, in its metric's unit.

    by_seed: seed → value. item: standard error over items, None where not known. deviation:
    standard deviation over seeds of one run; seed_error: of the mean over seeds. obstacles: why it
    is not comparable. draws: of a rank, what it might have been, [DRAWS].
    """

    by_seed: Mapping[int, float]
    item: float | None
    deviation: float = 0.0
    seed_error: float = 0.0
    obstacles: tuple[str, ...] = ()
    draws: np.ndarray | None = None

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return fmean(self.by_seed.values())

    @property
    def noise(self) -> float:
        """Standard deviation of the mean over seeds; items count 0 where not known."""
        return hypot(self.item or 0.0, self.seed_error)


class Readings:
    """Numbers of a run, asked by place; the first that fits is taken."""

    def __init__(self, claims: Claims, numbers: Iterable[Number]) -> None:
        self.claims = claims
        self._rankings: dict[tuple[Place, int], dict[str, Estimate]] = {}
        self._by_cell: dict[tuple[str, str, str], list[Number]] = {}
        for number in numbers:
            cell = (number.setting, number.method, number.metric)
            self._by_cell.setdefault(cell, []).append(number)

    def of(self, place: Place, rule: int = 0, at: float | None = None) -> Estimate:
        """The number at a place. rule: which of a ranking's. at: the value at which a percentage's
        standard error is taken, where the run has none; the number's own without.

        Raises Missing where the run has no such number.
        """
        match self.claims.metrics[place.metric]:
            case Measure() as measure:
                return self._measured(place, measure, at)
            case Mean() as mean:
                return mean_of([self.of(replace(place, metric=name)) for name in mean.mean_of])
            case Ranking() as ranking:
                return self._ranked(place, ranking, rule)

    def _numbers(self, place: Place) -> list[Number]:
        """One for each seed, of the first table and point that fit."""
        cell = (place.setting, place.method, place.metric)
        fitting = [number for number in self._by_cell.get(cell, []) if fits(number, place)]
        if not fitting:
            where = f" at {place.point}" if place.point else ""
            raise Missing(f"no {place.metric} of {place.method}{where} in setting {place.setting}")
        first = fitting[0]
        same = (first.table, first.point)
        return [number for number in fitting if (number.table, number.point) == same]

    def _measured(self, place: Place, measure: Measure, at: float | None) -> Estimate:
        numbers = self._numbers(place)
        if gaps := [number for number in numbers if number.value is None]:
            raise Missing("; ".join(f"seed {number.seed}: {number.reason}" for number in gaps))
        by_seed = {number.seed: number.value for number in numbers}
        value = fmean(by_seed.values()) if at is None else at
        deviation = seed_deviation(measure, list(by_seed.values()))
        return Estimate(
            by_seed,
            item_error(measure, numbers, value),
            deviation,
            deviation / sqrt(len(by_seed)),
            tuple(obstacles(measure, self.claims.settings[place.setting], numbers)),
        )

    def _ranked(self, place: Place, ranking: Ranking, rule: int) -> Estimate:
        where = (replace(place, method=""), rule)
        if where not in self._rankings:
            self._rankings[where] = self._ranking(place, ranking, rule)
        if place.method not in self._rankings[where]:
            raise Missing(f"{place.metric} does not rank {place.method}")
        return self._rankings[where][place.method]

    def _ranking(self, place: Place, ranking: Ranking, rule: int) -> dict[str, Estimate]:
        """The average ranks of all methods of a ranking."""
        columns = ranking.rank_of
        cells = {
            method: [self.of(replace(place, method=method, metric=name)) for name in columns]
            for method in ranking.among
        }
        better = {name: self.claims.metrics[name].better for name in columns}
        return rank_estimates(cells, better, rank_rule(ranking.rules[rule]))


def fits(number: Number, place: Place) -> bool:
    """Whether a number of a cell is of the place's table and point."""
    if place.table and number.table not in ("", place.table):
        return False
    wanted = parse(place.point).items()
    return wanted <= parse(number.point).items() if wanted else number.selected


def item_error(measure: Measure, numbers: Sequence[Number], value: float) -> float | None:
    """Standard error over items: the run's own, else from n, None where that is not known."""
    own = [number.se for number in numbers if number.se is not None]
    if own:
        return fmean(own)
    if measure.n is None:
        return None
    if measure.kind == "number":
        return measure.sd and measure.sd / sqrt(measure.n)
    return sqrt(value * (100 - value) / measure.n)


def seed_deviation(measure: Measure, values: Sequence[float]) -> float:
    """Standard deviation over seeds: as stated, else the run's own, 0 for one seed."""
    if measure.seed_deviation is not None:
        return measure.seed_deviation
    return stdev(values) if len(values) > 1 else 0.0


def by_seed(parts: Sequence[Estimate]) -> dict[int, list[float]]:
    """Seed → the values of several numbers; one of a single seed, as SFT's, is the same for all.

    Raises Missing where they have no seed in common.
    """
    several = [part.by_seed for part in parts if len(part.by_seed) > 1] or [parts[0].by_seed]
    seeds = set.intersection(*map(set, several))
    if not seeds:
        raise Missing("its parts have no seed in common")
    return {seed: [part.by_seed.get(seed, part.value) for part in parts] for seed in sorted(seeds)}


def mean_of(parts: Sequence[Estimate]) -> Estimate:
    """The plain mean of independent numbers."""
    count, items = len(parts), [part.item for part in parts]
    return Estimate(
        {seed: fmean(values) for seed, values in by_seed(parts).items()},
        None if None in items else hypot(*items) / count,
        hypot(*(part.deviation for part in parts)) / count,
        hypot(*(part.seed_error for part in parts)) / count,
        tuple(dict.fromkeys(item for part in parts for item in part.obstacles)),
    )


def minus(left: Estimate, right: Estimate) -> Estimate:
    """The difference, seed by seed. Noise adds up as of independent numbers, that of two ranks as
    of ranks of one table."""
    draws = None if left.draws is None or right.draws is None else left.draws - right.draws
    known = left.item is not None and right.item is not None
    item = hypot(left.item, right.item) if known else None
    return Estimate(
        {seed: ours - theirs for seed, (ours, theirs) in by_seed([left, right]).items()},
        item if draws is None else float(draws.std()),
        hypot(left.deviation, right.deviation),
        hypot(left.seed_error, right.seed_error),
        tuple(dict.fromkeys(left.obstacles + right.obstacles)),
        draws,
    )


def rank_rule(rank: Rank) -> RankRule:
    """A rule as the tables take it."""
    rows = tuple(rank.rows) if isinstance(rank.rows, list) else rank.rows
    return RankRule(rows, rank.ties, rank.unranked)


def rank_estimates(
    cells: Mapping[str, Sequence[Estimate]], better: Mapping[str, str], rule: RankRule
) -> dict[str, Estimate]:
    """Average ranks as the tables take them; a method that gets a dash is left out.

    cells: method → one for each of `better`, column → "higher" or "lower". Noise is that of tables
    whose cells are drawn around the run's, independent and normal, always the same draws; who is
    not ranked keeps its place.
    """
    table = {
        method: dict(zip(better, (cell.value for cell in row), strict=True))
        for method, row in cells.items()
    }
    ranked = rule.ranked(table)
    ranks = average_ranks(
        table, ranked=ranked, columns=better, ties=rule.ties, unranked=rule.unranked
    )
    found = {name: rank.value for name, rank in ranks.items() if rank.value is not None}
    drawn = rank_draws([cells[name] for name in ranked], list(better.values()), rule.ties)
    draws = {name: np.full(DRAWS, value) for name, value in found.items()}
    draws |= dict(zip(ranked, drawn.T, strict=True))
    against = dict.fromkeys(item for row in cells.values() for c in row for item in c.obstacles)
    return {
        name: Estimate({0: value}, float(draws[name].std()), 0, 0, tuple(against), draws[name])
        for name, value in found.items()
    }


def rank_draws(cells: Sequence[Sequence[Estimate]], better: Sequence[str], ties: str) -> np.ndarray:
    """Average ranks, [DRAWS, methods], of tables drawn around `cells`, a row for each method."""
    value = np.array([[cell.value for cell in row] for row in cells])
    noise = np.array([[cell.noise for cell in row] for row in cells])
    tables = np.random.default_rng(0).normal(value, noise, (DRAWS, *value.shape))
    signs = np.array([-1 if way == "higher" else 1 for way in better])
    return rankdata(signs * tables, method=ties, axis=1).mean(axis=2)
