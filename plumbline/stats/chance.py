"""How far methods that are equal would seem to lie apart, by chance, in the same tournament.

A parametric bootstrap: tournaments are drawn in which all methods have one mean, and seeds and
items vary as they were seen to. Each draw also draws what these variances would have been taken
for. Differences count as normal deviates: each t by its own degrees of freedom, so that columns in
which seeds decide and columns in which items do weigh alike (R. Beran, JASA 83(403), 1988, on why
this holds the level better). The largest of all gives the test that all methods are equal, and the
limit with which all pairs of all columns hold together.
"""

from collections.abc import Sequence

import numpy as np

from plumbline.stats.components import Components, pooled
from plumbline.stats.intervals import (
    Part,
    alike_differences,
    alike_part,
    precision,
    seed_shares,
)


def deviates(found: Components) -> np.ndarray:
    """(..., M, M): mean a less mean b as a normal deviate, where all methods vary alike."""
    apart = alike_differences(found)
    return normal_deviate(apart.estimate, apart.error, apart.freedom)


def largest_seen(columns: Sequence[Components]) -> np.ndarray:
    """(...): the largest deviate of any two methods in any column."""
    return np.max([np.abs(deviates(column)).max(axis=(-2, -1)) for column in columns], axis=0)


def largest_by_chance(
    columns: Sequence[Components], draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(draws, ...): what `largest_seen` would be, were all methods equal.

    Columns are drawn independently of each other. Where they are not, such as two metrics of the
    same answers, the largest is rather too large (Z. Sidak, JASA 62(318), 1967).
    """
    return np.max([_column(column, draws, generator) for column in columns], axis=0)


def limit(by_chance: np.ndarray, level: float = 0.95) -> np.ndarray:
    """(...): within which all deviates stay, with probability `level`."""
    place = int(np.ceil(level * (len(by_chance) + 1))) - 1
    return np.sort(by_chance, axis=0)[min(place, len(by_chance) - 1)]


def p_value(seen: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """(...): of the test that all methods are equal; what was seen counts as one of the draws."""
    return (1 + (by_chance >= seen).sum(axis=0)) / (1 + len(by_chance))


def normal_deviate(gaps: np.ndarray, errors: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """The normal deviate that is as improbable as t = gap / error (D. L. Wallace, Annals of
    Mathematical Statistics 30, 1959); 0 where both are 0. Gaps count to nine digits, as in ranks,
    so that what adding leaves of 0 is 0."""
    gaps, freedom = np.round(gaps, 9), np.minimum(freedom, 1e9)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.nan_to_num(gaps / errors, nan=0.0, posinf=np.inf, neginf=-np.inf)
    size = np.sqrt(freedom * np.log1p(np.square(t) / freedom))
    return np.sign(t) * size * (8 * freedom + 1) / (8 * freedom + 3)


def pairs(square: np.ndarray) -> np.ndarray:
    """(..., M, M) -> (..., pairs): what stands above the diagonal."""
    first, second = np.triu_indices(square.shape[-1], k=1)
    return square[..., first, second]


def _column(found: Components, draws: int, generator: np.random.Generator) -> np.ndarray:
    """(draws, ...): the largest deviate in one column.

    The seeds' variance is the mean of what it may be, given what was seen: few seeds that happened
    to lie close together make gaps look larger than they are, and would reject too often. Run means
    vary by their noise at single items at least.
    """
    between, rest, freedom = pooled(found)
    noise = rest / found.items
    true = np.maximum(between * freedom / np.maximum(freedom - 2, 1), noise)
    shape, root = (draws, *found.means.shape), item_root(found)
    at_seeds = np.where(found.seeds > 1, (true - noise)[..., None] / found.seeds, 0)
    means = np.sqrt(at_seeds) * generator.standard_normal(shape)
    means += (root @ generator.standard_normal(shape)[..., None])[..., 0]
    guess = generator.chisquare(np.maximum(freedom, 1), shape[:-1]) / np.maximum(freedom, 1)
    part = Part(
        (true * guess)[..., None] * pairs(seed_shares(found)),
        pairs(alike_part(found).noise),
        freedom[..., None],
    )
    spread = pair_spreads(root, found.items, shape, generator)
    variance, freedoms = precision(spread, [part], found.items)
    gaps = pairs(means[..., :, None] - means[..., None, :])
    return np.abs(normal_deviate(gaps, np.sqrt(variance), freedoms)).max(axis=-1)


def item_root(found: Components) -> np.ndarray:
    """(..., M, M): a root of the methods' covariance of means over items, R with R R^T."""
    values, vectors = np.linalg.eigh(found.covariance / found.items)
    return vectors * np.sqrt(np.maximum(values, 0))[..., None, :]


def pair_spreads(
    root: np.ndarray, items: int, shape: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """(draws, ..., pairs): variances over items of two methods' difference, as other items would
    have shown them.

    A Wishart matrix by M. S. Bartlett's decomposition (Proc. Royal Society of Edinburgh 53, 1933).
    root: of `item_root`; shape: (draws, ..., M).
    """
    methods = shape[-1]
    below = np.tril(generator.standard_normal((*shape, methods)), k=-1)
    place = np.arange(methods)
    below[..., place, place] = np.sqrt(generator.chisquare(np.maximum(items - 1 - place, 1), shape))
    below[..., items - 1 :] = 0  # fewer items than methods
    drawn = root @ below
    products = drawn @ np.swapaxes(drawn, -1, -2) * (items / (items - 1))
    own = np.diagonal(products, axis1=-2, axis2=-1)
    return np.maximum(pairs(own[..., :, None] + own[..., None, :] - 2 * products), 0)
