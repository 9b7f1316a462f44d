from torch import Tensor

from plumbline import Pairs, Positive, method


@method(title="nan at extremes", paper="arXiv:2305.18290v3", needs=("reference",))
def nan_at_extremes(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO by the log of a ratio of exponentials.

    Eq. (7), arXiv:2305.18290v3.

    Args:
        batch: pairs.
        beta: > 0.

    Returns:
        [B], nats.

    >>> nan_at_extremes.card.title
    'nan at extremes'
    """
    chosen = (beta * batch.chosen.logratio).exp()
    rejected = (beta * batch.rejected.logratio).exp()
    return -(chosen / (chosen + rejected)).log()  # Eq. (7)
