from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(title="ignored mask", paper="arXiv:2405.14734v3", needs=("token_values",))
def ignored_mask(batch: Pairs, *, beta: Positive = 2.0) -> Tensor:
    """SimPO without its margin, on means over tokens and padding.

    Eq. (6), arXiv:2405.14734v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> ignored_mask.card.title
    'ignored mask'
    """
    margin = batch.chosen.token_policy.mean(-1) - batch.rejected.token_policy.mean(-1)
    return -logsigmoid(beta * margin)  # Eq. (6)
