from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="CPL",
    paper="arXiv:2310.13639v1",
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference-free", "general"),
)
def cpl(batch: Pairs, *, alpha: Positive = 0.1, bias: Fraction = 0.5) -> Tensor:
    """Contrastive preference learning: log-probabilities are advantages, the worse side discounted.

    Equation of CPL(lambda), section 3, arXiv:2310.13639v1, on whole completions:

        L = - log sigma(alpha log pi_theta(y_w | x) - lambda alpha log pi_theta(y_l | x))

        w, l       chosen, rejected; batch.chosen.policy, batch.rejected.policy
        alpha      alpha; lambda  bias

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats.
        alpha: > 0, per nat; the temperature of maximum-entropy control.
        bias: between 0 and 1; below 1 the loss asks for likely chosen responses, too.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: a completion is the segment, a token the action, the discount 1. The paper's
        segments have one length; completions do not, so that a shorter one is likelier from the
        start. The authors first train on likelihood alone; here that is the SFT model.
    Limits: no reference: at any policy the gradient is -alpha (1 - p) on chosen and +alpha lambda
        (1 - p) on rejected, p = e^-L. bias = 1 is `dpo` with a constant reference; bias = 0 only
        raises the chosen response.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> cpl(Pairs(chosen, rejected), alpha=0.1, bias=0.5)
    tensor([0.9130])

    References: Hejna et al., Contrastive Preference Learning: Learning from Human Feedback without
        RL, arXiv:2310.13639v1; jhejna/cpl at b333667, `biased_bce_with_logits`, whose
        configurations have alpha = 0.1 and bias = 0.5.
    """
    chosen = alpha * batch.chosen.policy
    rejected = alpha * batch.rejected.policy
    return -logsigmoid(chosen - bias * rejected)  # equation of section 3
