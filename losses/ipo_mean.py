from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="IPO (token mean)",
    paper="arXiv:2310.12036v2",
    needs=("reference",),
    oracle="TRL `ipo`; mpmath",
    axes=("pair-wise", "offline", "reference", "overfitting"),
)
def ipo_mean(batch: Pairs, *, tau: Positive = 0.1) -> Tensor:
    """IPO on log-ratios per token, so that its target means the same for short and long responses.

    Eq. (17), arXiv:2310.12036v2, with log-ratios divided by length, as TRL and HALOs have it:

        L = (h_w / |y_w| - h_l / |y_l| - 1 / (2 tau))^2
        h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        |y|        batch.chosen.tokens, batch.rejected.tokens
        tau        tau

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, lengths, and
            reference.
        tau: > 0, per nat a token; the smaller, the wider the margin.

    Returns:
        [B], squared nats, lower is better; unreduced.

    Numerics: a square: finite at any log-ratio that is not near the end of float32.
    Deviations: the equation has sums over tokens, which is `ipo`. TRL reports from the authors that
        the paper's results were obtained with means. A tau of one is not a tau of the other.
    Limits: 1 / (2 tau)^2 at policy = reference, with gradient -1 / (tau |y_w|) on chosen and
        +1 / (tau |y_l|) on rejected. With responses of n tokens each it is `ipo` at tau / n,
        divided by n^2.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> ipo_mean(Pairs(chosen, rejected), tau=0.1)
    tensor([21.6225])

    References: Azar et al., A General Theoretical Paradigm to Understand Learning from Human
        Preferences, arXiv:2310.12036v2; TRL 1.16's `ipo` and its comment on the authors;
        ContextualAI/HALOs at 4831988, `IPOTrainer`.
    """
    chosen = batch.chosen.logratio / batch.chosen.tokens
    rejected = batch.rejected.logratio / batch.rejected.tokens
    return (chosen - rejected - 1 / (2 * tau)) ** 2  # Eq. (17), per token
