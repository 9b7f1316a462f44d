from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="SPPO (hard)",
    paper="arXiv:2405.00675v5",
    needs=("reference",),
    oracle="TRL `sppo_hard`; mpmath",
    axes=("pair-wise", "iterative", "reference", "likelihood displacement"),
)
def sppo_hard(batch: Pairs, *, beta: Positive = 0.001) -> Tensor:
    """Both log-ratios are pulled to values of their own: the winner up, the loser down as far.

    Eq. (4.7), arXiv:2405.00675v5, with win probability 1 for the chosen and 0 for the rejected:

        L = (h_w - 1 / (2 beta))^2 + (h_l + 1 / (2 beta))^2

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta = 1 / eta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the smaller, the farther the two are to move.

    Returns:
        [B], squared nats, lower is better; unreduced.

    Numerics: squares of log-ratios and of 1 / (2 beta) are well inside float32.
    Deviations: the paper takes the win probabilities from a preference model, samples and takes a
        new reference in every iteration; this is the loss of one, with hard labels, as in TRL. The
        authors' code halves it.
    Limits: 1 / (2 beta^2) at policy = reference, with gradient -1/beta on chosen and +1/beta on
        rejected. The optimum is h_w = 1 / (2 beta), h_l = -1 / (2 beta).

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> sppo_hard(Pairs(chosen, rejected), beta=0.1)
    tensor([36.2500])

    References: Wu et al., Self-Play Preference Optimization for Language Model Alignment,
        arXiv:2405.00675v5; uclaml/SPPO at 5e61c4e, `sppo_loss`; TRL's `sppo_hard`.
    """
    chosen = (batch.chosen.logratio - 1 / (2 * beta)) ** 2  # Eq. (4.7), y_w
    rejected = (batch.rejected.logratio + 1 / (2 * beta)) ** 2  # Eq. (4.7), y_l
    return chosen + rejected
