from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="reduced", paper="arXiv:2305.18290v3", needs=("reference",))
def reduced(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO reduced to its mean.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> reduced.card.title
    'reduced'
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -logsigmoid(margin).mean()  # Eq. (7)
