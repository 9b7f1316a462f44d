"""Intervals of means and of differences of means, by t with Satterthwaite's degrees of freedom.

A mean over few seeds and many items errs by its seeds and by its items, and the two are known with
very different precision. Their variances are added, and the sum is given the degrees of freedom of
the scaled chi-squared that has its first two moments (F. E. Satterthwaite, Biometrics Bulletin
2(6), 1946, p. 110).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from plumbline.stats.components import Components, pooled


@dataclass(frozen=True)
class Interval:
    """estimate, its standard error, degrees of freedom and ends; arrays of one shape.

    freedom is infinite where the standard error is 0: nothing that was seen varies.
    """

    estimate: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Part:
    """What seeds add to the variance of an estimate.

    seeds: variance of the mean over seeds. noise: how much of it is noise at single items, which
    the variance over items holds too. freedom: degrees of freedom, 0 where there is one seed.
    """

    seeds: np.ndarray
    noise: np.ndarray
    freedom: np.ndarray


def means(found: Components, level: float = 0.95) -> Interval:
    """Intervals of the methods' means, (..., M), over seeds and items that could have been drawn.

    The variance is (MS_seed + MS_item - MS_rest) / (S n). A method of one seed has its items'
    variance only: the interval is that of this one model.
    """
    own = np.diagonal(found.covariance, axis1=-2, axis2=-1)
    return interval(found.means, own, [own_part(found)], found.items, level)


def differences(found: Components, level: float = 0.95) -> Interval:
    """Intervals of mean a less mean b for every pair, (..., M, M), paired over items.

    Each method has its own seed variance, of S - 1 degrees of freedom.
    """
    own = own_part(found)
    each = (own.seeds, own.noise, own.freedom)
    pair = [Part(*(x[..., :, None] for x in each)), Part(*(x[..., None, :] for x in each))]
    return interval(gaps(found), paired_variance(found), pair, found.items, level)


def alike_differences(found: Components, level: float = 0.95) -> Interval:
    """As `differences`, where all methods are taken to vary alike from seed to seed: one seed
    variance, with the degrees of freedom of all of them. A method of one seed has none of it.
    """
    return interval(gaps(found), paired_variance(found), [alike_part(found)], found.items, level)


def alike_part(found: Components) -> Part:
    """What seeds add to each pair's difference, (..., M, M), where all methods vary alike."""
    between, rest, freedom = (each[..., None, None] for each in pooled(found))
    return Part(between * seed_shares(found), rest * seed_shares(found), freedom)


def seed_shares(found: Components) -> np.ndarray:
    """(..., M, M): what the difference of two methods has of a seed variance that all share."""
    share = np.where(found.seeds > 1, 1 / found.seeds, 0)
    return share[..., :, None] + share[..., None, :]


def own_part(found: Components) -> Part:
    """Each method's own seeds, (..., M)."""
    return Part(found.between / found.seeds, found.rest / found.seeds, found.seeds - 1)


def gaps(found: Components) -> np.ndarray:
    """(..., M, M): mean a less mean b."""
    return found.means[..., :, None] - found.means[..., None, :]


def paired_variance(found: Components) -> np.ndarray:
    """(..., M, M): variance over items of the difference of two methods' means over seeds."""
    own = np.diagonal(found.covariance, axis1=-2, axis2=-1)
    return np.maximum(own[..., :, None] + own[..., None, :] - 2 * found.covariance, 0)


def interval(
    estimate: np.ndarray, spread: np.ndarray, parts: Sequence[Part], items: int, level: float
) -> Interval:
    """The two-sided t interval of an estimate that is a mean over `items`.

    spread: its variance over items.
    """
    variance, freedom = precision(spread, parts, items)
    error = np.sqrt(variance)
    half = stats.t.ppf(0.5 + level / 2, freedom) * error
    return Interval(estimate, error, freedom, estimate - half, estimate + half)


def precision(
    spread: np.ndarray, parts: Sequence[Part], items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of an estimate and its degrees of freedom; arguments as of `interval`."""
    of_seeds, noise = (sum(getattr(part, name) for part in parts) for name in ("seeds", "noise"))
    variance = total(spread, of_seeds, noise, items)
    squares = [(spread / items, items - 1)]
    squares += [(part.seeds, part.freedom) for part in parts]
    squares += [(part.noise / items, part.freedom * (items - 1)) for part in parts]
    return variance, satterthwaite(variance, squares)


def total(spread: np.ndarray, of_seeds: np.ndarray, noise: np.ndarray, items: int) -> np.ndarray:
    """The variance of an estimate: what its seeds and what its items add, and their noise at least.

    The noise is in the spread and in the seeds' variance, so it is taken off once. The
    seeds' variance is not cut at its noise: intervals would be too long where seeds matter little.
    """
    return np.maximum(of_seeds + np.maximum(spread - noise, 0) / items, noise / items)


def satterthwaite(
    variance: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray | int]]
) -> np.ndarray:
    """Degrees of freedom of a sum of mean squares, infinite where all are 0.

    parts: (mean square times its coefficient, its degrees of freedom); a part of no degrees of
    freedom is 0.
    """
    spread = sum(np.square(part) / np.maximum(freedom, 1) for part, freedom in parts)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, np.square(variance) / spread, np.inf)
