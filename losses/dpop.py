from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="DPOP",
    paper="arXiv:2402.13228v2",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def dpop(batch: Pairs, *, beta: Positive = 0.3, weight: NonNegative = 50.0) -> Tensor:
    """DPO-Positive: DPO, and a price for letting the chosen response fall below the reference.

    Eq. (3), arXiv:2402.13228v2:

        L = - log sigma(beta [h_w - h_l - lambda max(0, -h_w)])
        h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; lambda  weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        weight: >= 0, the weight of the penalty.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. At h_w = 0, where
        the penalty has its kink, its slope is taken as zero.
    Deviations: none from Eq. (3), where beta multiplies the penalty. Elsewhere the penalty is found
        outside of beta, or added to the loss outside of the sigmoid.
    Limits: log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected.
        `dpo` wherever the chosen response is at or above the reference, or lambda = 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-11.5]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> dpop(Pairs(chosen, rejected), beta=0.3, weight=50.0)
    tensor([7.5006])

    References: Pal et al., Smaug: Fixing Failure Modes of Preference Optimisation with
        DPO-Positive, arXiv:2402.13228v2; LuJunru/SamPO at 25e9631, `dpop`, which follows the
        authors' answer to issue 2 of abacusai/smaug.
    """
    penalty = (-batch.chosen.logratio).relu()
    margin = batch.chosen.logratio - batch.rejected.logratio - weight * penalty
    return -logsigmoid(beta * margin)  # Eq. (3)
