from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="RSO (hinge)",
    paper="arXiv:2309.06657v2",
    needs=("reference",),
    oracle="TRL `hinge`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def rso_hinge(batch: Pairs, *, gamma: Positive = 0.05) -> Tensor:
    """SLiC's hinge on log-ratios instead of log-probabilities: a support vector machine for DPO.

    Eq. (10), "hinge-norm", arXiv:2309.06657v2:

        L = max(0, 1 - (gamma h_w - gamma h_l)),    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        gamma      gamma

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        gamma: > 0, per nat; one over the margin beyond which a pair is left alone.

    Returns:
        [B], lower is better; unreduced.

    Numerics: linear on both sides of the hinge; at the hinge itself its slope is taken as zero.
    Deviations: the loss alone. The paper draws its pairs from an estimate of the optimal policy by
        rejection sampling; here they are the data's.
    Limits: 1 at policy = reference, with gradient -gamma on chosen and +gamma on rejected; zero
        from a margin of 1 / gamma on. Adding a constant to both log-probabilities changes nothing.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> rso_hinge(Pairs(chosen, rejected), gamma=0.1)
    tensor([0.8500])

    References: Liu et al., Statistical Rejection Sampling Improves Preference Optimization,
        arXiv:2309.06657v2, its equation and gamma read in TRL's paper index at f2cd577; TRL 1.16's
        `hinge`.
    """
    margin = gamma * (batch.chosen.logratio - batch.rejected.logratio)
    return (1 - margin).relu()  # Eq. (10)
