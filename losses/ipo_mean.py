from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="IPO (per token)",
    paper="arXiv:2310.12036v2",
    needs=("reference",),
    oracle="TRL `ipo`; mpmath",
    axes=("pair-wise", "offline", "reference", "length bias"),
)
def ipo_mean(batch: Pairs, *, tau: Positive = 0.1) -> Tensor:
    """IPO on log-ratios per token: a long response does not reach the margin by its length.

    Eq. (17), arXiv:2310.12036v2, in the field's reading:

        L = (h_w - h_l - 1 / (2 tau))^2,    h_y = log-ratio(y) / |y|

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio / batch.chosen.tokens, and of rejected
        tau        tau

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference and
            tokens.
        tau: > 0, per nat and token; the smaller, the wider the margin.

    Returns:
        [B], squared nats per token, lower is better; unreduced.

    Numerics: a square; finite where log-ratios are.
    Deviations: the paper's equation has sums (`ipo`); TRL's comment says that its authors confirmed
        the means.
    Limits: 1 / (2 tau)^2 at policy = reference, with gradient -1 / (tau |y_w|) on chosen and
        +1 / (tau |y_l|) on rejected. `ipo` where every response has one token.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> ipo_mean(Pairs(chosen, rejected), tau=0.1)
    tensor([21.6225])

    References: Azar et al., A General Theoretical Paradigm to Understand Learning from Human
        Preferences, arXiv:2310.12036v2; TRL's `ipo`; ContextualAI/HALOs, `IPOTrainer`.
    """
    chosen = batch.chosen.logratio / batch.chosen.tokens
    rejected = batch.rejected.logratio / batch.rejected.tokens
    return (chosen - rejected - 1 / (2 * tau)) ** 2  # Eq. (17)
