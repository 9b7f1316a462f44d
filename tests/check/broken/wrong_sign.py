from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="wrong sign", paper="arXiv:2305.18290v3", needs=("reference",))
def wrong_sign(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO with chosen and rejected exchanged.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> wrong_sign.card.title
    'wrong sign'
    """
    margin = beta * (batch.rejected.logratio - batch.chosen.logratio)
    return -logsigmoid(margin)  # Eq. (7)
