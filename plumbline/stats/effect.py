"""How large a difference is, whatever its certainty."""

import numpy as np

from plumbline.stats.components import Components
from plumbline.stats.intervals import gaps, paired_variance


def paired_effect(found: Components) -> np.ndarray:
    """(..., M, M): mean a less mean b, in standard deviations over items of that difference.

    It is of the means over the seeds that there are (Cohen's d_z); 0 where two methods agree at
    every item.
    """
    spread = np.sqrt(paired_variance(found))
    return np.divide(gaps(found), spread, out=np.zeros_like(spread), where=spread > 0)


def superiority(one: np.ndarray, other: np.ndarray) -> float:
    """Probability that a run of one method scores higher than one of another on an item; a tie
    counts half.

    one, other: (S, n), the same items; over all pairs of their seeds.
    """
    signs = np.sign(one[:, None] - other[None])
    return float((1 + signs.mean()) / 2)
