"""Places that are not known for sure: intervals that hold for all methods and columns at once.

A method that is significantly below k of M others has place k + 1 or a lower one; one that is above
k others, place M - k or a higher one (M. Klein, T. Wright and J. Wieczorek, JRSS C 69(3), 2020).
With one limit on all differences of all columns, `chance.limit`, these intervals hold together.
"""

import numpy as np

from plumbline.stats.chance import deviates
from plumbline.stats.components import Components


def above(found: Components, limit: np.ndarray) -> np.ndarray:
    """(..., M, M): whether mean a is significantly greater than mean b. limit: (...), of
    `chance.limit`."""
    return deviates(found) > np.asarray(limit)[..., None, None]


def place_interval(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., M) lowest and highest place, where 1 is the greatest mean.

    above: (..., M, M); its transpose for a metric of which less is better.
    """
    beaten_by, beats = above.sum(axis=-2), above.sum(axis=-1)
    return 1 + beaten_by, above.shape[-1] - beats


def average_place_interval(above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., M) lowest and highest mean place over columns. above: (columns, ..., M, M), by the one
    limit of all of them."""
    low, high = place_interval(above)
    return low.mean(axis=0), high.mean(axis=0)
