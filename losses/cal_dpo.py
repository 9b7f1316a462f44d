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
    """DPO calibrated: each log-ratio is also pulled to where a reward of +-1/2 would put it.

    The objective of the section on calibration, arXiv:2412.14516v1:

        L = - log sigma(h_w - h_l) + (h_w - 1 / (2 beta))^2 + (h_l + 1 / (2 beta))^2
        h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the smaller, the farther away the targets.

    Returns:
        [B], lower is better; unreduced. Squared nats plus nats: the squares rule.

    Numerics: `logsigmoid` neither overflows nor loses its gradient; squares are finite at any
        log-ratio that is not near the end of float32.
    Deviations: none from the paper; there is no beta inside of the sigmoid. The authors' code for
        Pythia and Mistral has these weights, their later code for Zephyr half the squares; both of
        the latter take the squares' mean over the batch, which leaves the mean loss as it is.
    Limits: log 2 + 1 / (2 beta^2) at policy = reference, with gradient -1/2 - 1/beta on chosen and
        the opposite on rejected. The loss sees a common shift, as DPO does not, and the optimum
        lies just beyond the targets. Without its first term it is `sppo_hard`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> cal_dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([36.4514])

    References: Xiao et al., Cal-DPO: Calibrated Direct Preference Optimization for Language Model
        Alignment, arXiv:2412.14516v1; Cal-DPO/Cal-DPO at 378427b, `trainers.py` and `trainer.py`;
        tengxiao1/Cal-DPO at 7d16b46, `dpo_trainer.py`.
    """
    chosen, rejected, target = batch.chosen.logratio, batch.rejected.logratio, 1 / (2 * beta)
    contrast = -logsigmoid(chosen - rejected)  # section on calibration, first term
    calibration = (chosen - target) ** 2 + (rejected + target) ** 2  # the other two
    return contrast + calibration
