"""Simulated tournaments whose true scores are known.

A benchmark asks items; a run's answer to one has a latent quality, and its score says how many
thresholds that passes: one for right or wrong, nine for grades of 1 to 10. Quality is the method's
skill, plus the item's ease, the method's luck with the item, the run's own luck, and the rest, all
normal. So scores are coarse and full of ties, and a true mean is a sum of normal probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.optimize import brentq


@dataclass(frozen=True)
class Benchmark:
    """items: how many. thresholds: of the latent quality; a score is 100 times the share passed."""

    items: int
    thresholds: tuple[float, ...] = (0.0,)


#: As many questions as MT-Bench has, with its ten grades; two of right or wrong.
BENCHMARKS = (
    Benchmark(80, tuple(np.linspace(-2.4, 2.4, 9))),
    Benchmark(256),
    Benchmark(541),
)


@dataclass(frozen=True)
class World:
    """How tournaments are drawn.

    seeds: runs of each method. deviation: standard deviation of a run's true score around its
    method's, in points of 100, at a middling skill. differing: whether methods differ in skill; two
    are level even then. interaction: standard deviation of a method's luck with an item, where an
    item's ease and the rest have 1. uneven: how many times the deviation of the others the first
    method has. common: share of a run's luck that all benchmarks have in common.
    """

    seeds: int
    deviation: float
    differing: bool = True
    methods: int = 6
    interaction: float = 0.7
    uneven: float = 1.0
    common: float = 0.5
    benchmarks: tuple[Benchmark, ...] = BENCHMARKS


@dataclass(frozen=True)
class Tournaments:
    """scores: one array (T, M, S, n) a benchmark. truth: (benchmarks, T, M), true means."""

    scores: tuple[np.ndarray, ...]
    truth: np.ndarray


def draw(world: World, count: int, generator: np.random.Generator) -> Tournaments:
    """`count` tournaments."""
    skills = skill(world, count, generator)
    luck = generator.standard_normal((count, world.methods, world.seeds))
    drawn = [
        scores(world, benchmark, own, luck, generator)
        for benchmark, own in zip(world.benchmarks, skills, strict=True)
    ]
    return Tournaments(tuple(each for each, _ in drawn), np.stack([true for _, true in drawn]))


def skill(world: World, count: int, generator: np.random.Generator) -> np.ndarray:
    """(benchmarks, T, M): for the most part the same on all benchmarks, the last two level."""
    shape = (len(world.benchmarks), count, world.methods)
    if not world.differing:
        return np.zeros(shape)
    drawn = 0.25 * generator.standard_normal(shape[1:]) + 0.1 * generator.standard_normal(shape)
    drawn[..., -1] = drawn[..., -2]
    return drawn


def scores(
    world: World,
    benchmark: Benchmark,
    skills: np.ndarray,
    luck: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(T, M, S, n) scores of one benchmark, and (T, M) what they are in truth."""
    count, methods, seeds = luck.shape
    own = generator.standard_normal(luck.shape)
    luck = np.sqrt(world.common) * luck + np.sqrt(1 - world.common) * own
    times = np.where(np.arange(methods) == 0, world.uneven, 1)
    sizes = [run_deviation(world, benchmark, world.deviation * each) for each in times]
    quality = generator.standard_normal((count, methods, seeds, benchmark.items), np.float32)
    quality += generator.standard_normal((count, 1, 1, benchmark.items), np.float32)
    with_item = generator.standard_normal((count, methods, 1, benchmark.items), np.float32)
    quality += np.float32(world.interaction) * with_item
    quality += (skills[..., None] + np.array(sizes)[:, None] * luck)[..., None].astype(np.float32)
    passed = sum((quality > threshold).astype(np.float64) for threshold in benchmark.thresholds)
    spread = np.sqrt(2 + world.interaction**2 + np.square(sizes))
    return 100 / len(benchmark.thresholds) * passed, mean_score(benchmark, skills, spread)


def mean_score(benchmark: Benchmark, quality: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The expected score where quality is normal with this mean and standard deviation."""
    above = [stats.norm.cdf((quality - each) / spread) for each in benchmark.thresholds]
    return 100 * np.mean(above, axis=0)


@lru_cache
def run_deviation(world: World, benchmark: Benchmark, points: float) -> float:
    """The latent deviation of runs that makes their true scores deviate by so many points."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = np.sqrt(2 + world.interaction**2)

    def off(size: float) -> float:
        means = mean_score(benchmark, size * nodes, spread)
        return np.sqrt(np.average(np.square(means - 50), weights=weights)) - points

    return brentq(off, 0, 5) if points else 0.0


def true_places(truth: np.ndarray) -> np.ndarray:
    """(benchmarks, T, M): places by true means; level methods share the better one."""
    return 1 + (truth[..., None, :] > truth[..., :, None]).sum(axis=-1)


def pair_truth(truth: np.ndarray) -> np.ndarray:
    """(..., M, M): true mean a less true mean b."""
    return truth[..., :, None] - truth[..., None, :]


def batches(count: int, size: int) -> Sequence[int]:
    """`count` as a list of numbers of at most `size`."""
    return [min(size, count - start) for start in range(0, count, size)]
