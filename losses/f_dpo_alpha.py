from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="f-DPO (alpha-divergence)",
    paper="arXiv:2309.16240v1",
    needs=("reference",),
    oracle="TRL `sigmoid` with `alpha_divergence`; mpmath",
    axes=("pair-wise", "offline", "divergence", "general"),
)
def f_dpo_alpha(batch: Pairs, *, beta: Positive = 0.1, alpha: Positive = 0.5) -> Tensor:
    """DPO under an alpha-divergence, between reverse KL (alpha near 0) and forward KL (alpha = 1).

    Section 4 with the alpha-divergence, arXiv:2309.16240v1:

        L = - log sigma(beta f'(u_w) - beta f'(u_l)),    f'(u) = (1 - u^(-alpha)) / alpha

        w, l       chosen, rejected
        u_y        pi_theta(y | x) / pi_ref(y | x); log u is batch.chosen.logratio, ...
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0; the strength of the divergence to the reference.
        alpha: > 0, in the paper below 1; the authors run 0.3, 0.5 and 0.7.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: u^(-alpha) is clamped at e^30, so that a step stays finite in float32: a response
        whose log-ratio is below -30 / alpha has no gradient. TRL clamps at e^80.
    Deviations: alpha is the paper's and the authors' code's. TRL's `f_alpha_divergence_coef` is
        1 - alpha, which is the same number only at 0.5.
    Limits: log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected.
        alpha towards 0 is `dpo`; alpha = 1 is `f_dpo_forward_kl`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> f_dpo_alpha(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([0.6277])

    References: Wang et al., Beyond Reverse KL: Generalizing Direct Preference Optimization with
        Diverse Divergence Constraints, arXiv:2309.16240v1; alecwangcq/f-divergence-dpo at 07d9369,
        `alpha_dpo_loss`; TRL's `alpha_divergence`.
    """
    chosen = -(-alpha * batch.chosen.logratio).clamp(max=30).expm1() / alpha  # section 4, f'
    rejected = -(-alpha * batch.rejected.logratio).clamp(max=30).expm1() / alpha
    return -logsigmoid(beta * (chosen - rejected))  # section 4
