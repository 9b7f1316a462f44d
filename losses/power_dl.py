from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, NonNegative, Pairs, Positive, method


@method(
    title="POWER-DL",
    paper="arXiv:2412.09544v1",
    needs=("label",),
    exempt=(("gradcheck", "the label follows the margin and is a constant to the gradient"),),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference-free", "label noise"),
    fidelity="unverified",
)
def power_dl(
    batch: Pairs, *, beta: Positive = 2.0, eta: NonNegative = 0.001, gamma: Fraction = 0.1
) -> Tensor:
    """Weighted entropy instead of a reference, and labels that give way where they are doubted.

    Equation of POWER-DL, arXiv:2412.09544v1, with the weights 1 / length:

        L = - l log sigma(u) - (1 - l) log sigma(-u) - eta beta log pi(y_w | x) / n_w
        u = beta [(log pi(y_w | x) + 1) / n_w - (log pi(y_l | x) + 1) / n_l]
        l = (1 - gamma) l' + gamma sigma(u), no gradient

        w, l  chosen, rejected; n_w, n_l their tokens
        l'    batch.label: the pair's l when it was last trained on, 1 at first

    The label drifts towards sigma(u), where the gradient of the first two terms is zero.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and label.
        beta: > 0, per nat of a mean over tokens.
        eta: >= 0, weight of the likelihood of chosen responses, in units of beta.
        gamma: between 0 and 1, the labels' rate; 0 is POWER with the labels of the data.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the labels' rule and all defaults are from memory; u was derived anew from a reward
        that is greatest under weighted entropy. Here a label moves before it is used, so that one
        epoch has labels below 1, too; whether the authors use it before is not known to us.
    Limits: log 2 - eta beta log pi(y_w) / n_w where u = 0 and l' = 1, with gradient
        -beta (1/2 - gamma/2 + eta) / n_w on chosen. At gamma = 1 only the last term teaches.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> power_dl(Pairs(chosen, rejected, {"label": tensor([1.0])}))
    tensor([0.7441])

    References: Rashidinejad, Tian, Sail into the Headwind: Alignment via Robust Rewards and
        Dynamic Labels against Reward Hacking, arXiv:2412.09544v1, of which the abstract was read.
    """
    label, margin = relabel(batch, beta=beta, gamma=gamma), _margin(batch, beta)
    preference = -label * logsigmoid(margin) - (1 - label) * logsigmoid(-margin)  # Eq. POWER-DL
    return preference - eta * beta * batch.chosen.mean_policy  # its last term


def relabel(batch: Pairs, *, beta: float, gamma: float) -> Tensor:
    """The labels [B] in [0, 1] that are trained on now, and kept until the pair is seen again."""
    stationary = _margin(batch, beta).sigmoid().detach()
    return (1 - gamma) * batch.label + gamma * stationary  # equation of l


def _margin(batch: Pairs, beta: float) -> Tensor:
    """[B]: u of the equation."""
    chosen = (batch.chosen.policy + 1) / batch.chosen.tokens
    rejected = (batch.rejected.policy + 1) / batch.rejected.tokens
    return beta * (chosen - rejected)
