"""How often intervals hold what they claim to hold, and tests reject what is true."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from bench import rejected
from bench.tournaments import Tournaments, World, draw, pair_truth, true_places
from plumbline.stats.chance import largest_by_chance, largest_seen, limit, p_value, pairs
from plumbline.stats.components import Components, components
from plumbline.stats.intervals import Interval, alike_differences, differences
from plumbline.stats.places import above, average_place_interval

#: Draws of chance for each tournament; a p-value of 5 % can be had exactly.
DRAWS = 199
#: Resamples of the percentile bootstrap.
RESAMPLES = 200


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    hits: int
    of: int

    @property
    def percent(self) -> float:
        """In percent."""
        return 100 * self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % binomial interval, in percent."""
        found = binomtest(self.hits, self.of).proportion_ci()
        return 100 * found.low, 100 * found.high


def measure(world: World, count: int, seed: tuple[int, ...]) -> Counter:
    """What `count` tournaments of differing and as many of equal methods give, as (name, "hits")
    and (name, "of")."""
    generator = np.random.default_rng(seed)
    differing = draw(replace(world, differing=True), count, generator)
    equal = draw(replace(world, differing=False), count, generator)
    return of_differing(differing, generator) + of_equal(equal, generator)


def of_differing(played: Tournaments, generator: np.random.Generator) -> Counter:
    """Coverage of differences and of average ranks, and how wide the latter are."""
    columns = [components(each) for each in played.scores]
    found = Counter()
    for column, truth in zip(columns, played.truth, strict=True):
        found += counted("differences", holds(differences(column), truth))
    by_chance = limit(largest_by_chance(columns, DRAWS, generator))
    low, high = average_place_interval(np.stack([above(each, by_chance) for each in columns]))
    places = true_places(played.truth).mean(axis=0)
    found += counted("ranks", ((low <= places + 1e-9) & (places <= high + 1e-9)).all(axis=-1))
    methods = places.shape[-1]
    return found + Counter(
        {("width", "hits"): float((high - low).sum()), ("width", "of"): low.size * (methods - 1)}
    )


def of_equal(played: Tournaments, generator: np.random.Generator) -> Counter:
    """How often methods that are equal are said to differ."""
    columns = [components(each) for each in played.scores]
    p = p_value(largest_seen(columns), largest_by_chance(columns, DRAWS, generator))
    return counted("equality", p <= 0.05)


def measure_rejected(world: World, count: int, seed: tuple[int, ...]) -> Counter:
    """The same of choices that were rejected."""
    generator = np.random.default_rng(seed)
    played = draw(replace(world, differing=True), count, generator)
    equal = draw(replace(world, differing=False), count, generator)
    found = Counter()
    for scores, truth in zip(played.scores, played.truth, strict=True):
        column = components(scores)
        ends = rejected.percentile_differences(scores, RESAMPLES, generator)
        found += counted("cut", holds(rejected.cut_differences(column), truth))
        found += counted("alike", holds(alike_differences(column), truth))
        found += counted("percentile", pairs(inside(*ends, pair_truth(truth))))
    columns: list[Components] = [components(each) for each in equal.scores]
    found += counted("permutation", rejected.permutation_p(equal.scores, DRAWS, generator) <= 0.05)
    found += counted("observed", rejected.as_observed_p(columns, DRAWS, generator) <= 0.05)
    return found + counted("quasi-F", rejected.quasi_f_p(columns) <= 0.05)


def holds(found: Interval, truth: np.ndarray) -> np.ndarray:
    """(T, pairs): whether the intervals of differences have the true ones. truth: (T, M)."""
    return pairs(inside(found.low, found.high, pair_truth(truth)))


def inside(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether truth lies within; ends count."""
    return (low <= truth) & (truth <= high)


def counted(name: str, hits: np.ndarray) -> Counter:
    """Trues and all of an array."""
    return Counter({(name, "hits"): int(hits.sum()), (name, "of"): hits.size})


def share(found: Counter, name: str) -> Share:
    """One figure of `measure`."""
    return Share(found[name, "hits"], found[name, "of"])
