from torch import Tensor

from plumbline import Lists, Positive, method


@method(
    title="DPO (Plackett-Luce)",
    paper="arXiv:2305.18290v3",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def plackett_luce_dpo(batch: Lists, *, beta: Positive = 0.1) -> Tensor:
    """DPO on a whole ranking: the best response against all, the next against the rest, and so on.

    Eq. (20), Appendix A.3, arXiv:2305.18290v3:

        L = - sum_k log [ exp(r_k) / sum_(j >= k) exp(r_j) ],    k = 1..N in the order of the scores

        r_k   beta * log-ratio of the response with the k-th highest score
        beta  beta

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1], of which only the order counts.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: sums of exponentials are taken in logarithms.
    Deviations: a ranking has no ties and scores do; tied responses count as ranked in the order in
        which they stand in the list.
    Limits: log N! at policy = reference. N = 2 is `dpo`. Adding a constant to all log-probabilities
        of a list changes nothing.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> plackett_luce_dpo(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.6210])

    References: Rafailov et al., Direct Preference Optimization, arXiv:2305.18290v3; the same loss
        as list MLE in Liu et al., LiPO, Eq. (7), arXiv:2402.01878v3.
    """
    order = batch.scores.argsort(dim=-1, descending=True, stable=True)
    reward = beta * batch.completions.logratio.gather(-1, order)
    rest = reward.flip(-1).logcumsumexp(-1)  # over j >= k, from the last k to the first
    return rest.sum(-1) - reward.sum(-1)  # Eq. (20)
