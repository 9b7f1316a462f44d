"""Gradients of losses that a test writes in plain Python: an oracle that needs no autograd.

Imports neither `plumbline` nor a file of `losses/`.
"""

from collections.abc import Callable, Sequence


def slopes(loss: Callable[[list[float]], float], point: Sequence[float]) -> list[float]:
    """d loss / d each coordinate of `point`, by central differences; good to about 1e-8."""
    step = 1e-5
    found = []
    for place in range(len(point)):
        ahead, behind = list(point), list(point)
        ahead[place] += step
        behind[place] -= step
        found.append((loss(ahead) - loss(behind)) / (2 * step))
    return found
