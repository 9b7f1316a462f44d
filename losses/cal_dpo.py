from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="Cal-DPO",
    paper="arXiv:2412.14516v1",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def cal_dpo(batch: Pairs, *, beta: Positive = 0.001) -> Tensor:
    """DPO whose log-ratios are calibrated to rewards of +1/2 and -1/2: their level is fixed, too.

    Eq. (9), arXiv:2412.14516v1:

        L = - log sigma(h_w - h_l) + (h_w - 1 / (2 beta))^2 + (h_l + 1 / (2 beta))^2

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; log-ratios are pulled to 1 / (2 beta) and its negative.

    Returns:
        [B], nats and squared nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known from the paper; the authors' code halves both squares. There is no beta
        within the sigmoid in either.
    Limits: log 2 + 1 / (2 beta^2) at policy = reference, with gradient -1/2 - 1/beta on chosen and
        the opposite on rejected.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> cal_dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([36.4514])

    References: Xiao et al., Cal-DPO: Calibrated Direct Preference Optimization for Language Model
        Alignment, arXiv:2412.14516v1.
    """
    chosen, rejected = batch.chosen.logratio, batch.rejected.logratio
    contrast = -logsigmoid(chosen - rejected)  # Eq. (9), first term
    calibration = (chosen - 1 / (2 * beta)) ** 2 + (rejected + 1 / (2 * beta)) ** 2  # the others
    return contrast + calibration
