from torch import Tensor, relu
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="DPOP",
    paper="arXiv:2402.13228v2",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def dpop(batch: Pairs, *, beta: Positive = 0.3, penalty: NonNegative = 50.0) -> Tensor:
    """DPO with a penalty within the logit where the chosen response fell below the reference.

    Eq. (3), arXiv:2402.13228v2:

        L = - log sigma(beta [ h_w - h_l - lambda max(0, -h_w) ])

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; lambda  penalty

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        penalty: >= 0, the weight of the chosen response's fall; the paper tries 5, 50 and 500.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: beta multiplies the penalty too, as in the paper and in MarginPO's code; in SamPO's
        the penalty stands outside of the logit.
    Limits: log 2 at policy = reference, where the penalty has a kink: its slope is 0 there, so that
        the gradient is DPO's. `dpo` at penalty = 0 or where no chosen response fell.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> dpop(Pairs(rejected, chosen), beta=0.1, penalty=5.0)
    tensor([0.9130])

    References: Pal et al., Smaug: Fixing Failure Modes of Preference Optimisation with
        DPO-Positive, arXiv:2402.13228v2.
    """
    margin = batch.chosen.logratio - batch.rejected.logratio
    fall = relu(-batch.chosen.logratio)
    return -logsigmoid(beta * (margin - penalty * fall))  # Eq. (3)
