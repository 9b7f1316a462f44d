from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="f-DPO (forward KL)",
    paper="arXiv:2309.16240v1",
    needs=("reference",),
    oracle="TRL `sigmoid` with `forward_kl`; mpmath",
    axes=("pair-wise", "offline", "divergence", "general"),
)
def f_dpo_forward_kl(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO under forward KL: a response that falls below the reference weighs exponentially.

    Section 4 with the forward KL, arXiv:2309.16240v1:

        L = - log sigma(beta f'(u_w) - beta f'(u_l)),    f'(u) = - 1 / u

        w, l       chosen, rejected
        u_y        pi_theta(y | x) / pi_ref(y | x); log u is batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0; the strength of the divergence to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: 1 / u is clamped at e^30, so that a step stays finite in float32: a response whose
        log-ratio is below -30 has no gradient. Neither the paper nor TRL clamps here.
    Deviations: the additive constant of f' cancels and is left out (TRL writes 1 - 1 / u).
    Limits: log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected,
        as in `dpo`, whose f' is log u: the first order of this one. `f_dpo_alpha` at alpha = 1.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> f_dpo_forward_kl(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6312])

    References: Wang et al., Beyond Reverse KL: Generalizing Direct Preference Optimization with
        Diverse Divergence Constraints, arXiv:2309.16240v1; alecwangcq/f-divergence-dpo at 07d9369,
        `forward_dpo_loss`; TRL's `forward_kl`.
    """
    chosen = -(-batch.chosen.logratio).clamp(max=30).exp()  # section 4, f'
    rejected = -(-batch.rejected.logratio).clamp(max=30).exp()
    return -logsigmoid(beta * (chosen - rejected))  # section 4
