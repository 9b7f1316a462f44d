"""How likely each method is the best, from draws of the whole table."""

from typing import Literal

import numpy as np
from scipy.stats import rankdata


def average_places(
    draws: np.ndarray, higher: np.ndarray, ties: Literal["min", "average"]
) -> np.ndarray:
    """(draws, M): each method's mean place over columns in every draw.

    draws: (draws, M, C), as of `resampling.table_draws`. higher: (C,), whether more is better.
    """
    return rankdata(np.where(higher, -draws, draws), method=ties, axis=1).mean(axis=-1)


def probability_best(costs: np.ndarray) -> np.ndarray:
    """(M,): the share of draws in which a method's cost is least; level ones share a draw.

    costs: (draws, M), such as average places.
    """
    least = costs == costs.min(axis=1, keepdims=True)
    return (least / least.sum(axis=1, keepdims=True)).mean(axis=0)
