from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="DPO",
    paper="arXiv:2305.18290v3",
    needs=("reference",),
    oracle="TRL `sigmoid`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def dpo(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Logistic loss on the difference of two log-ratios: only the difference, never the level.

    Eq. (7), arXiv:2305.18290v3:

        L = - log sigma(beta h_w - beta h_l),    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known.
    Limits: log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected.
        Adding a constant to both log-probabilities changes nothing: DPO cannot see both fall.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6210])

    References: Rafailov et al., Direct Preference Optimization, arXiv:2305.18290v3;
        eric-mitchell/direct-preference-optimization at f8b8c0f, `preference_loss`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -logsigmoid(margin)  # Eq. (7)
