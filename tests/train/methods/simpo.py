"""A loss of means per token, for tests."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(title="SimPO", paper="arXiv:2405.14734v3")
def simpo(batch: Pairs, *, beta: Positive = 2.0, margin: NonNegative = 0.5) -> Tensor:
    """Log-probabilities per token, with a margin and without a reference."""
    difference = batch.chosen.mean_policy - batch.rejected.mean_policy
    return -logsigmoid(beta * difference - margin)
