"""The order in which an epoch visits its examples: shuffled, with like lengths side by side."""

from __future__ import annotations

import random
from collections.abc import Sequence

#: Global batches that are sorted by length together; then the batches are shuffled again.
WINDOW = 32


def epoch_order(lengths: Sequence[int], batch: int, seed: int) -> list[int]:
    """Indices of one epoch, in whole global batches; the last partial batch is dropped.

    Examples are shuffled, each window of `WINDOW` batches is sorted by length and cut into
    batches, and the batches are shuffled, so that little is spent on padding.
    """
    generator = random.Random(seed)
    order = list(range(len(lengths)))
    generator.shuffle(order)
    order = order[: len(order) - len(order) % batch]
    batches = []
    for start in range(0, len(order), WINDOW * batch):
        window = sorted(order[start : start + WINDOW * batch], key=lengths.__getitem__)
        batches += [window[first : first + batch] for first in range(0, len(window), batch)]
    generator.shuffle(batches)
    return [index for rows in batches for index in rows]
