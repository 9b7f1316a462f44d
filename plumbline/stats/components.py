"""What is needed of the scores of a column: means, and where their differences come from.

Of one method, the model is score = mean + seed + item + rest, seeds and items both drawn, each
seed asked every item once: a two-way random layout without replication.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Components:
    """Sufficient statistics of a column, in the metric's unit or its square.

    means: (..., M), over seeds and items. seeds: (..., M), how many of them. items: how many.
    between: (..., M), sample variance of a method's run means over its seeds, 0 for one seed.
    rest: (..., M), mean square of what neither seed nor item explains, 0 for one seed.
    covariance: (..., M, M), over items, of the methods' means over seeds.
    """

    means: np.ndarray
    seeds: np.ndarray
    items: int
    between: np.ndarray
    rest: np.ndarray
    covariance: np.ndarray


def components(values: np.ndarray) -> Components:
    """values: (..., M, S, n), as of `plumbline.stats`; two items at least."""
    items = values.shape[-1]
    present = ~np.isnan(values[..., :1])
    filled = np.where(present, values, 0.0)
    seeds = present.sum(axis=(-2, -1))
    item_means = filled.sum(axis=-2) / seeds[..., None]
    means = item_means.mean(axis=-1)
    runs = filled.mean(axis=-1, keepdims=True)
    centred = item_means - means[..., None]
    among_runs = np.where(present, runs - means[..., None, None], 0.0)
    left = np.where(present, filled - runs - centred[..., None, :], 0.0)
    spare = np.maximum(seeds - 1, 1)
    return Components(
        means=means,
        seeds=seeds,
        items=items,
        between=np.square(among_runs).sum(axis=(-2, -1)) / spare,
        rest=np.square(left).sum(axis=(-2, -1)) / (spare * (items - 1)),
        covariance=centred @ np.swapaxes(centred, -1, -2) / (items - 1),
    )


def pooled(found: Components) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`between` and `rest` of all methods with several seeds together, and their seed degrees of
    freedom, each (...); 0 of them where every method has one seed."""
    spare = found.seeds - 1
    freedom = spare.sum(axis=-1)
    weights = spare / np.maximum(freedom, 1)[..., None]
    return (found.between * weights).sum(-1), (found.rest * weights).sum(-1), freedom
