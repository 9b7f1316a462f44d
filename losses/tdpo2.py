from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="TDPO2",
    paper="arXiv:2404.11999v5",
    needs=("reference", "token_divergence"),
    oracle="hand calculation",
    exempt=(("gradcheck", "the chosen response's divergence is detached by design"),),
    axes=("token-level", "offline", "divergence", "general"),
)
def tdpo2(batch: Pairs, *, beta: Positive = 0.1, alpha: NonNegative = 0.5) -> Tensor:
    """TDPO whose chosen divergence is a constant: only the rejected response's is held down.

    Section 4, arXiv:2404.11999v5:

        L = - log sigma(beta (h_w - h_l) - alpha beta (D_l - sg(D_w))),
        D_y = sum over t of KL(pi_ref(. | x, y_<t) || pi_theta(. | x, y_<t))

        h_y    log-ratio of chosen (w) or rejected (l)
        D_y    sequential divergence: batch.chosen.token_divergence summed over tokens, or rejected
        sg     without gradient
        alpha  alpha; beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference,
            and per-token divergence [B, T].
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: >= 0, what the difference of divergences counts.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known.
    Limits: log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected.
        alpha = 0 is `dpo`; alpha = 1 has the value of `tdpo1`, with another gradient.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, divergence):
    ...     needed = {"reference": tensor([reference]), "token_divergence": tensor([divergence])}
    ...     return Completions(tensor([policy]), tensor([2]), needed)
    >>> chosen = column(-10.0, -11.0, [0.5, 0.25])
    >>> rejected = column(-12.0, -11.5, [0.5, 1.0])
    >>> tdpo2(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([0.6385])

    References: Zeng et al., Token-level Direct Preference Optimization, arXiv:2404.11999v5;
        Vance0124/Token-level-Direct-Preference-Optimization at 4a36a00, `tdpo_loss`.
    """
    margin = batch.chosen.logratio - batch.rejected.logratio
    chosen = batch.chosen.token_divergence.sum(-1).detach()
    rejected = batch.rejected.token_divergence.sum(-1)
    return -logsigmoid(beta * (margin - alpha * (rejected - chosen)))  # section 4
