from torch import Tensor, exp, log1p, where
from torch.nn.functional import logsigmoid

from plumbline import Positive, Singles, method


@method(
    title="PRO-B (r_H kept)",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    optimum="alpha > 1",
    theorem="Theorem 4.2, arXiv:2505.23316v2",
    oracle="mpmath",
    axes=("point-wise", "offline", "reference", "imbalance"),
)
def pro_b_hyper(
    batch: Singles,
    *,
    beta: Positive = 0.1,
    alpha: Positive = 2.5,
    desirable_weight: Positive = 1.0,
    undesirable_weight: Positive = 1.0,
) -> Tensor:
    """PRO-B with the hyper-response's own log-ratio, which the paper's experiments leave out.

    Appendix D and Eq. (6), arXiv:2505.23316v2:

        L = - s r - (alpha/2) [log sigma(r - r_H) + log sigma(r_H - r)]
        r_H = beta log [(1 - pi_theta(y)) / (1 - pi_ref(y))]

        s      +1/2 desirable, -1/2 undesirable
        r      beta * batch.completion.logratio
        H      the hyper-response, all other responses together
        alpha  alpha; beta  beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            and labels.
        beta: > 0, per nat.
        alpha: > 1, the regularizer's weight; below, the loss of an undesirable response is
            unbounded.
        desirable_weight, undesirable_weight: > 0, factors of the whole loss; for unbalanced labels
            choose them so that weight times count agrees between the classes.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: the response's mass is clamped at exp(-1e-4), where log1p(-exp(.)) still has three
        digits in float32; above, r_H is constant.
    Deviations: the paper's reported experiments take r_H = 0, as `pro_b` does.
    Limits: alpha log 2 at policy = reference, with gradient -beta s. The optimum is at
        sigma(r - r_H) = 1/2 + s (1 - pi_theta(y)) / alpha. `pro_b` where the response is
        improbable.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> good = Completions(tensor([-1.0]), tensor([1]), {"reference": tensor([-1.5])})
    >>> pro_b_hyper(Singles(good, tensor([True])), beta=1.0, alpha=2.5)
    tensor([1.6356])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    policy, reference = batch.completion.policy, batch.completion.reference
    policy_rest = log1p(-exp(policy.clamp(max=-1e-4)))
    reference_rest = log1p(-exp(reference.clamp(max=-1e-4)))
    hyper = beta * (policy_rest - reference_rest)  # Eq. (6)
    reward = beta * batch.completion.logratio
    score = where(batch.desirable, 0.5, -0.5)
    weight = where(batch.desirable, desirable_weight, undesirable_weight)
    optimizer = -score * reward  # Appendix D, first term
    above = reward - hyper
    regularizer = -(logsigmoid(above) + logsigmoid(-above)) / 2  # Appendix D, second term
    return weight * (optimizer + alpha * regularizer)
