from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="f-DPO (Jensen-Shannon)",
    paper="arXiv:2309.16240v1",
    needs=("reference",),
    oracle="TRL `sigmoid` with `js_divergence`; mpmath",
    axes=("pair-wise", "offline", "divergence", "general"),
)
def f_dpo_js(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO under the Jensen-Shannon divergence: far above the reference a response earns no more.

    Section 4 with the Jensen-Shannon divergence, arXiv:2309.16240v1:

        L = - log sigma(beta f'(u_w) - beta f'(u_l)),    f'(u) = log(u / (1 + u)) = log sigma(log u)

        w, l       chosen, rejected
        u_y        pi_theta(y | x) / pi_ref(y | x); log u is batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0; the strength of the divergence to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the additive constant log 2 of f' cancels and is left out.
    Limits: log 2 at policy = reference, with gradient -beta/4 on chosen and +beta/4 on rejected.
        Equals `dpo` where both log-ratios are far below zero. Raising the chosen response alone
        takes the loss no lower than log(1 + sigma(h_l)^beta).

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> f_dpo_js(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6607])

    References: Wang et al., Beyond Reverse KL: Generalizing Direct Preference Optimization with
        Diverse Divergence Constraints, arXiv:2309.16240v1; alecwangcq/f-divergence-dpo at 07d9369,
        `js_dpo_loss`; TRL's `js_divergence`.
    """
    chosen = logsigmoid(batch.chosen.logratio)  # section 4, f'
    rejected = logsigmoid(batch.rejected.logratio)
    return -logsigmoid(beta * (chosen - rejected))  # section 4
