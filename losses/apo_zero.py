from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="APO-zero",
    paper="arXiv:2408.06266v5",
    needs=("reference",),
    oracle="TRL `apo_zero`; mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def apo_zero(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Anchored: chosen up, rejected down, each by itself; for winners better than the reference.

    Eq. (7), arXiv:2408.06266v5:

        L = 1 - sigma(beta h_w) + sigma(beta h_l),    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], between 0 and 2, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: none known. The constant 1 is TRL's: the loss starts at 1 and ends at 0.
    Limits: 1 at policy = reference, with gradient -beta/4 on chosen and +beta/4 on rejected. The
        loss is a sum over the two responses: neither's gradient depends on the other.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> apo_zero(Pairs(chosen, rejected), beta=0.1)
    tensor([0.9625])

    References: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions,
        arXiv:2408.06266v5; TRL's `apo_zero`.
    """
    chosen = 1 - (beta * batch.chosen.logratio).sigmoid()  # Eq. (7), first term
    rejected = (beta * batch.rejected.logratio).sigmoid()  # Eq. (7), second term
    return chosen + rejected
