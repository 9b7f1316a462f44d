from torch import Tensor, exp, log1p, logaddexp
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="PRO-P (r_H kept)",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    oracle="mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def pro_p_hyper(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """PRO-P with the hyper-response's own log-ratio, which the paper's experiments leave out.

    Theorem 4.3, Eq. (6) and Appendix D, arXiv:2505.23316v2, with eta = 2/3 and alpha = 9/4:

        L = - log sigma(r_w - r_l) - (1/2) sum over y in {w, l} of [log sigma(r_y - r_H)
                                                                  + log sigma(r_H - r_y)]
        r_H = beta log [(1 - pi_theta(w) - pi_theta(l)) / (1 - pi_ref(w) - pi_ref(l))]

        r_y   beta * log-ratio of chosen (w) or rejected (l)
        H     the hyper-response, all other responses together
        beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: the pair's mass is clamped at exp(-1e-4), where log1p(-exp(.)) still has three digits
        in float32; above, as for two equal responses that are likely, r_H is constant.
    Deviations: unit scale, which is 4 times the scale of the population loss. The paper's reported
        experiments take r_H = 0, as `pro_p` does.
    Limits: 3 log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected.
        `pro_p` where both responses are improbable: below -10 the gradients differ by 1e-6 of
        theirs; at -1, by more than 1e-2.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-1.0]), tensor([1]), {"reference": tensor([-1.5])})
    >>> rejected = Completions(tensor([-2.0]), tensor([1]), {"reference": tensor([-2.5])})
    >>> pro_p_hyper(Pairs(chosen, rejected), beta=1.0)
    tensor([2.2491])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    chosen, rejected = batch.chosen, batch.rejected
    policy_mass = logaddexp(chosen.policy, rejected.policy).clamp(max=-1e-4)
    reference_mass = logaddexp(chosen.reference, rejected.reference).clamp(max=-1e-4)
    hyper = beta * (log1p(-exp(policy_mass)) - log1p(-exp(reference_mass)))  # Eq. (6)
    contrast = -logsigmoid(beta * (chosen.logratio - rejected.logratio))  # Theorem 4.3, (w, l)
    above_w, above_l = beta * chosen.logratio - hyper, beta * rejected.logratio - hyper
    anchor_chosen = -(logsigmoid(above_w) + logsigmoid(-above_w)) / 2  # Theorem 4.3, (w, H)
    anchor_rejected = -(logsigmoid(above_l) + logsigmoid(-above_l)) / 2  # Theorem 4.3, (l, H)
    return contrast + anchor_chosen + anchor_rejected
