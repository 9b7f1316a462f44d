from torch import Tensor

from plumbline import Lists, Positive, method


@method(
    title="S-DPO",
    paper="arXiv:2406.09215v3",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def softmax_dpo(batch: Lists, *, beta: Positive = 1.0) -> Tensor:
    """DPO with several negatives at once: the best response against the softmax of the others.

    Eq. (11), arXiv:2406.09215v3:

        L = - log sigma(- log sum_(l != w) exp(r_l - r_w)) = - log [ exp(r_w) / sum_j exp(r_j) ]

        r_j   beta * log-ratio of response j
        w     the response with the highest score; l: every other one
        beta  beta

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1], which choose w.
        beta: > 0, per nat; 1 in the authors' script.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: the second form, whose sum of exponentials is taken in logarithms; the authors' code
        exponentiates and can overflow.
    Deviations: written for one liked item and sampled others; here the liked one is the best of the
        list (the first of them where several tie) and the order of the others is not used.
    Limits: log N at policy = reference, with gradient -beta (1 - 1/N) on the best and beta / N on
        the others. N = 2 is `dpo`. Equals `info_nca` at a temperature close to zero.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> softmax_dpo(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.6210])

    References: Chen et al., On Softmax Direct Preference Optimization for Recommendation,
        arXiv:2406.09215v3; chenyuxin1999/S-DPO at 07befa4, `dpo_loss`.
    """
    reward = beta * batch.completions.logratio
    best = batch.scores.argmax(-1, keepdim=True)
    return reward.logsumexp(-1) - reward.gather(-1, best).squeeze(-1)  # Eq. (11)
