"""How many items or seeds would tell two methods apart."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from plumbline.stats.components import Components
from plumbline.stats.intervals import gaps, paired_variance


@dataclass(frozen=True)
class Needed:
    """(..., M, M) of pairs: items at the seeds there are; seeds of each method at the items there
    are. Infinite where no number of them would do alone."""

    items: np.ndarray
    seeds: np.ndarray


def needed(found: Components, level: float = 0.95, power: float = 0.8) -> Needed:
    """What would show the difference that was seen, were it the true one.

    The differences' standard error must be |difference| / (z_level + z_power), by the normal
    distribution: with very few seeds, somewhat more is needed.
    """
    factor = stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)
    aim = np.square(gaps(found) / factor)
    noise = found.rest / found.items
    per_run = np.maximum(found.between, noise)
    of_noise = both(found.rest / found.seeds)
    of_items = np.maximum(paired_variance(found), of_noise)
    return Needed(
        items=np.ceil(over(of_items, aim - both((per_run - noise) / found.seeds))),
        seeds=np.ceil(over(both(per_run), aim - (of_items - of_noise) / found.items)),
    )


def both(each: np.ndarray) -> np.ndarray:
    """(..., M) -> (..., M, M): the sums of pairs."""
    return each[..., :, None] + each[..., None, :]


def over(need: np.ndarray, room: np.ndarray) -> np.ndarray:
    """need / room, infinite where there is no room."""
    return np.divide(need, room, out=np.full(np.shape(need), np.inf), where=room > 0)
