from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="AlphaPO",
    paper="arXiv:2501.03884v4",
    oracle="TRL `simpo` with `alpha`",
    axes=("pair-wise", "offline", "reference-free", "likelihood displacement"),
)
def alpha_po(
    batch: Pairs, *, beta: Positive = 2.5, gamma: NonNegative = 0.1, alpha: Positive = 0.25
) -> Tensor:
    """SimPO with a bent reward: unlikely responses are pushed harder, likely ones saturate.

    Equation of the AlphaPO loss, section 3, arXiv:2501.03884v4:

        L = - log sigma(beta r_w - beta r_l - gamma),    r_y = (1 - p_y^(-alpha)) / alpha

        w, l       chosen, rejected
        p_y        pi_theta(y | x)^(1 / |y|): log p_y is batch.chosen.mean_policy, ...
        beta       beta; gamma  gamma; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and lengths.
        beta: > 0.
        gamma: >= 0, the margin asked for, in units of beta r.
        alpha: > 0, how much the reward bends.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: p^(-alpha) is clamped at e^30, so that a step stays finite in float32: below -30 /
        alpha nats a token, which no real response reaches, a response has no gradient.
    Deviations: alpha < 0, which the paper also tries, is left out; alpha = 0 is the limit below.
        gamma is TRL's `simpo_gamma`: SimPO's scripts give gamma / beta.
    Limits: log(1 + e^gamma) where both responses are as likely per token, whatever the reference.
        alpha towards 0 is SimPO, r = log p.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> alpha_po(Pairs(chosen, rejected), beta=2.5, gamma=0.1, alpha=0.25)
    tensor([1.0127])

    References: Gupta et al., AlphaPO: Reward Shape Matters for LLM Alignment, arXiv:2501.03884v4;
        TRL's `CPOTrainer` with `alpha`; defaults as TRL's paper index has them for
        Mistral-Instruct (Table 3).
    """
    chosen = -(-alpha * batch.chosen.mean_policy).clamp(max=30).expm1() / alpha  # section 3, r
    rejected = -(-alpha * batch.rejected.mean_policy).clamp(max=30).expm1() / alpha
    return -logsigmoid(beta * (chosen - rejected) - gamma)  # section 3, loss
