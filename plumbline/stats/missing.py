"""What items without a value could have made of a mean."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bounds:
    """complete: the mean of what there is, NaN for nothing. low, high: the mean, had every missing
    item the metric's worst or best value. missing: how many items of how many runs."""

    complete: float
    low: float
    high: float
    missing: int


def bounds(values: np.ndarray, low: float, high: float) -> Bounds:
    """values: (S, n), NaN where missing; low and high: what the metric declares as its range."""
    missing = np.isnan(values)
    complete = float(values[~missing].mean()) if not missing.all() else np.nan
    least, most = (float(np.where(missing, end, values).mean()) for end in (low, high))
    return Bounds(complete, least, most, int(missing.sum()))
