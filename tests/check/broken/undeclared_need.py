from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="undeclared need", paper="arXiv:2305.18290v3", needs=())
def undeclared_need(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO that does not ask for the reference.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> undeclared_need.card.title
    'undeclared need'
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -logsigmoid(margin)  # Eq. (7)
