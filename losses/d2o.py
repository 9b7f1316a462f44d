from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Lists, Positive, method


@method(
    title="D2O",
    paper="arXiv:2403.03419v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "label noise"),
)
def d2o(batch: Lists, *, beta: Positive = 0.1, alpha: Positive = 0.1) -> Tensor:
    """DPO with one dispreferred response against the average of all the others.

    Eq. (3), arXiv:2403.03419v2:

        L = - log sigma( (beta/K) sum_(i != l) h_i - alpha h_l )

        h_i    log-ratio of response i
        l      the response with the lowest score; K = N - 1 the number of the others
        alpha  alpha; beta  beta

    Args:
        batch: lists of N >= 2 with log-probabilities [B, N], sums over completion tokens in nats,
            reference, and scores in [0, 1], which choose l.
        beta: > 0, per nat; the pull of the others.
        alpha: > 0, per nat; the push on the dispreferred response.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: written for a response that people marked as bad and K = 11 that the reference model
        wrote itself. Offline the others of the list stand in for those, and which of them is better
        is not used; l is the first of them where several tie for the lowest score. Both references
        of the paper, a helpful and a harmful one, are the one reference, as in its experiments.
    Limits: log 2 at policy = reference, with gradient -beta / (2K) on the others and +alpha/2 on
        the dispreferred one. N = 2 and alpha = beta is `dpo`. With alpha different from beta / K
        the common level counts.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> d2o(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1, alpha=0.1)
    tensor([0.6210])

    References: Duan et al., Negating Negatives: Alignment with Human Negative Samples via
        Distributional Dispreference Optimization, arXiv:2403.03419v2; its Eq. (3) read as two
        others quote it, not in the paper. No code by the authors is public.
    """
    ratio = batch.completions.logratio
    worst = ratio.gather(-1, batch.scores.argmin(-1, keepdim=True)).squeeze(-1)
    others = (ratio.sum(-1) - worst) / (ratio.shape[-1] - 1)
    return -logsigmoid(beta * others - alpha * worst)  # Eq. (3)
