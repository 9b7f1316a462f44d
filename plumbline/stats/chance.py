"""How far methods that are equal would seem to lie apart, by chance, in the same tournament.

A parametric bootstrap: tournaments are drawn in which all methods have one mean, and seeds and
items vary as they were seen to. Each draw also draws what its seeds' variance would have been taken
for, from as few degrees of freedom. The largest difference of any two methods, in its own standard
errors, is what a difference that was seen is held against. It gives the test that all are equal and
the limit with which all pairs of all columns hold together.
"""

from collections.abc import Sequence

import numpy as np

from plumbline.stats.components import Components, pooled
from plumbline.stats.intervals import (
    alike_differences,
    alike_part,
    paired_variance,
    seed_shares,
    total,
)


def largest_seen(columns: Sequence[Components]) -> np.ndarray:
    """(...): the largest difference of two methods in any column, in standard errors."""
    found = [alike_differences(column) for column in columns]
    return np.max([largest(pairs(each.estimate), pairs(each.error)) for each in found], axis=0)


def largest_by_chance(
    columns: Sequence[Components], draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(draws, ...): what `largest_seen` would be, were all methods equal.

    Columns are drawn independently of each other. Where they are not, such as two metrics of the
    same answers, the largest is rather too large (Z. Sidak, JASA 62(318), 1967).
    """
    return np.max([_column(column, draws, generator) for column in columns], axis=0)


def limit(by_chance: np.ndarray, level: float = 0.95) -> np.ndarray:
    """(...): standard errors within which all differences stay, with probability `level`."""
    place = int(np.ceil(level * (len(by_chance) + 1))) - 1
    return np.sort(by_chance, axis=0)[min(place, len(by_chance) - 1)]


def p_value(seen: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """(...): of the test that all methods are equal; what was seen counts as one of the draws."""
    return (1 + (by_chance >= seen).sum(axis=0)) / (1 + len(by_chance))


def largest(gaps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The largest |gap| / error along the last axis, 0 where both are 0. Gaps count to nine digits,
    as in ranks, so that what adding leaves of 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.abs(np.round(gaps, 9)) / errors
    return np.nan_to_num(ratios, nan=0.0, posinf=np.inf).max(axis=-1)


def pairs(square: np.ndarray) -> np.ndarray:
    """(..., M, M) -> (..., pairs): what stands above the diagonal."""
    first, second = np.triu_indices(square.shape[-1], k=1)
    return square[..., first, second]


def _column(found: Components, draws: int, generator: np.random.Generator) -> np.ndarray:
    """(draws, ...): the largest difference in one column.

    Run means vary by their noise at single items at least: where they were seen to vary by less,
    the noise is drawn.
    """
    between, rest, freedom = pooled(found)
    noise = rest / found.items
    drawn = np.maximum(between, noise)
    shape = (draws, *found.means.shape)
    at_seeds = np.where(found.seeds > 1, (drawn - noise)[..., None] / found.seeds, 0)
    means = np.sqrt(at_seeds) * generator.standard_normal(shape)
    means += (item_root(found) @ generator.standard_normal(shape)[..., None])[..., 0]
    of_seeds = (drawn * about_one(freedom, shape[:-1], generator))[..., None]
    spread = pairs(paired_variance(found))
    spread = spread * about_one(found.items - 1, (*shape[:-1], spread.shape[-1]), generator)
    shares, own_noise = pairs(seed_shares(found)), pairs(alike_part(found).noise)
    variance = total(spread, of_seeds * shares, own_noise, found.items)
    return largest(pairs(means[..., :, None] - means[..., None, :]), np.sqrt(variance))


def about_one(
    freedom: np.ndarray | int, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """What a variance of 1 is taken for by an estimate with so many degrees of freedom."""
    return generator.chisquare(np.maximum(freedom, 1), shape) / np.maximum(freedom, 1)


def item_root(found: Components) -> np.ndarray:
    """(..., M, M): a root of the methods' covariance of means over items, R with R R^T."""
    values, vectors = np.linalg.eigh(found.covariance / found.items)
    return vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
