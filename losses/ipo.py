from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="IPO",
    paper="arXiv:2310.12036v2",
    needs=("reference",),
    oracle="TRL `ipo` of CPOTrainer on log-ratios; mpmath",
    axes=("pair-wise", "offline", "reference", "overfitting"),
)
def ipo(batch: Pairs, *, tau: Positive = 0.1) -> Tensor:
    """The margin of DPO is pulled to 1 / (2 tau) and not beyond, whichever side it comes from.

    Eq. (17), arXiv:2310.12036v2:

        L = (h_w - h_l - 1 / (2 tau))^2,    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        tau        tau

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        tau: > 0, per nat; the strength of the anchor: the smaller, the wider the margin.

    Returns:
        [B], squared nats, lower is better; unreduced.

    Numerics: a square: finite at any log-ratio that is not near the end of float32.
    Deviations: none from the equation, where log pi(y | x) is a sum over tokens. TRL and HALOs take
        means over tokens, and TRL reports that the authors did so too: that is `ipo_mean`.
    Limits: 1 / (2 tau)^2 at policy = reference, with gradient -1/tau on chosen and +1/tau on
        rejected. Zero, with zero gradient, where the margin is 1 / (2 tau). Adding a constant to
        both log-probabilities changes nothing.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> ipo(Pairs(chosen, rejected), tau=0.1)
    tensor([12.2500])

    References: Azar et al., A General Theoretical Paradigm to Understand Learning from Human
        Preferences, arXiv:2310.12036v2; eric-mitchell/direct-preference-optimization at f8b8c0f,
        `preference_loss`, which takes sums.
    """
    margin = batch.chosen.logratio - batch.rejected.logratio
    return (margin - 1 / (2 * tau)) ** 2  # Eq. (17)
