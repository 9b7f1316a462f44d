"""Friedman's test of places over benchmarks, and Nemenyi's critical difference.

Benchmarks are the blocks: what is tested is whether the order of methods would hold on other
benchmarks of the same kind, and neither items nor seeds are looked at (J. Demsar, JMLR 7, 2006).
Two metrics of the same answers are one block: else one benchmark would count twice.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Friedman:
    """blocks: how many. mean_places: (M,) over blocks. statistic, p: Friedman's chi-squared.

    critical_difference: mean places that lie further apart differ at 1 - level, by Nemenyi.
    """

    blocks: int
    mean_places: np.ndarray
    statistic: float
    p: float
    critical_difference: float


def block_costs(places: np.ndarray, blocks: Sequence[Hashable]) -> np.ndarray:
    """(B, M): each method's mean place in every block. places: (C, M); blocks: one per column."""
    return np.array(
        [places[[each == block for each in blocks]].mean(axis=0) for block in dict.fromkeys(blocks)]
    )


def friedman(costs: np.ndarray, level: float = 0.95) -> Friedman:
    """costs: (B, M), less is better; B at least 2 and M at least 3. p is 1 where all are level."""
    blocks, methods = costs.shape
    mean_places = stats.rankdata(costs, axis=1).mean(axis=0)
    statistic, p = 0.0, 1.0
    if np.ptp(costs, axis=1).any():
        statistic, p = map(float, stats.friedmanchisquare(*costs.T))
    return Friedman(blocks, mean_places, statistic, p, critical_difference(methods, blocks, level))


def critical_difference(methods: int, blocks: int, level: float = 0.95) -> float:
    """Nemenyi's: q sqrt(M (M + 1) / 6 B), q the studentized range's quantile over sqrt 2."""
    limit = stats.studentized_range.ppf(level, methods, np.inf) / np.sqrt(2)
    return float(limit * np.sqrt(methods * (methods + 1) / (6 * blocks)))
