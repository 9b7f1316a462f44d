from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="APO-down",
    paper="arXiv:2408.06266v5",
    needs=("reference",),
    exempt=(
        (
            "sign_at_reference",
            "at the reference its pull down on the chosen response and the contrast cancel",
        ),
    ),
    oracle="TRL `apo_down`; mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def apo_down(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Anchored: both responses down, the rejected one more; for winners worse than the reference.

    Eq. (8), arXiv:2408.06266v5:

        L = sigma(beta h_w) + 1 - sigma(beta h_w - beta h_l)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], between 0 and 2, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: none known. The constant 1 is TRL's: the loss starts at 1 and ends at 0.
    Limits: 1 at policy = reference, with no gradient on chosen and +beta/4 on rejected. Once the
        rejected response has fallen, the chosen one is pushed down too.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> apo_down(Pairs(chosen, rejected), beta=0.1)
    tensor([0.9875])

    References: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions,
        arXiv:2408.06266v5; TRL's `apo_down`.
    """
    chosen = beta * batch.chosen.logratio
    rejected = beta * batch.rejected.logratio
    anchor = chosen.sigmoid()  # Eq. (8), first term
    contrast = 1 - (chosen - rejected).sigmoid()  # Eq. (8), second term
    return anchor + contrast
