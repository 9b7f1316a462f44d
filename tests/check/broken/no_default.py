from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="no default", paper="arXiv:2305.18290v3", needs=("reference",))
def no_default(batch: Pairs, *, beta: Positive) -> Tensor:
    """DPO with a beta that must be given.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> no_default.card.title
    'no default'
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -logsigmoid(margin)  # Eq. (7)
