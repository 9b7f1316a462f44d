from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="Coupled labels", paper="arXiv:2412.09544v1", needs=("label",))
def coupled_labels(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Labels that are centred over the batch, which the engine would do for each micro-batch.

    Equation of the loss, arXiv:2412.09544v1: - l log sigma(u).

    Args:
        batch: pairs with log-probabilities [B] and label.
        beta: > 0.

    Returns:
        [B], nats, lower is better; unreduced.

    >>> 1
    1
    """
    margin = beta * (batch.chosen.policy - batch.rejected.policy)
    return -batch.label * logsigmoid(margin)  # equation of the loss


def relabel(batch: Pairs) -> Tensor:
    """The labels of the next visit."""
    return (batch.label - batch.label.mean()).sigmoid()
