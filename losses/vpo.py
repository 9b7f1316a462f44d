from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="VPO (offline)",
    paper="arXiv:2405.19320v4",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "supervised", "distribution shift"),
    fidelity="unverified",
)
def vpo(batch: Pairs, *, beta: Positive = 0.1, alpha: NonNegative = 0.005) -> Tensor:
    """DPO with pessimism: rewards of low value are preferred, which keeps the chosen likely.

    Algorithm 2 (offline), arXiv:2405.19320v4, calibrated on the chosen responses:

        L = - log sigma(beta h_w - beta h_l) - alpha beta h_w

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: >= 0, the weight of pessimism, in units of beta. The default is RPO's eta; what the
            paper tuned was not read.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the calibration distribution is that of the chosen responses, where the paper leaves
        it open. Online VPO turns the sign of the last term and is not here.
    Limits: log 2 at policy = reference, with gradient -beta (1/2 + alpha) on chosen and +beta/2 on
        rejected. alpha = 0 is `dpo`. It is `rpo` at eta = alpha, plus alpha beta log pi_ref(y_w):
        the gradients are the same. A loss from V-usable information is also called VPO.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> vpo(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([0.5710])

    References: Cen et al., Value-Incentivized Preference Optimization: A Unified Approach to Online
        and Offline RLHF, arXiv:2405.19320v4. Its reviews were read, the equation itself was not; no
        code is public.
    """
    chosen = beta * batch.chosen.logratio
    rejected = beta * batch.rejected.logratio
    preference = -logsigmoid(chosen - rejected)  # Algorithm 2, Eq. of the likelihood
    return preference - alpha * chosen  # Algorithm 2, Eq. of the pessimistic term
