from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="undeclared coupling", paper="arXiv:2305.18290v3", needs=("reference",))
def undeclared_coupling(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO on margins centred over the batch.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> undeclared_coupling.card.title
    'undeclared coupling'
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -logsigmoid(margin - margin.mean() / 2)  # Eq. (7)
