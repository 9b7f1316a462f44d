from torch import Tensor, where
from torch.nn.functional import logsigmoid

from plumbline import Positive, Singles, method


@method(
    title="PRO-B",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    optimum="alpha > 1",
    theorem="Theorem 4.2, arXiv:2505.23316v2",
    oracle="mpmath",
    axes=("point-wise", "offline", "reference", "imbalance"),
)
def pro_b(
    batch: Singles,
    *,
    beta: Positive = 0.1,
    alpha: Positive = 2.5,
    desirable_weight: Positive = 1.0,
    undesirable_weight: Positive = 1.0,
) -> Tensor:
    """PRO for one response and a label: a linear push and a regularizer that always stops it.

    Appendix D, arXiv:2505.23316v2:

        L = - s r - (alpha/2) [log sigma(r - r_H) + log sigma(r_H - r)]

        s      +1/2 desirable, -1/2 undesirable
        r      beta * batch.completion.logratio
        r_H    the same of the hyper-response H, all other responses together; taken as 0
        alpha  alpha; beta  beta

    The paper prints -beta s log pi_theta for the first term; -s r differs by a constant and starts
    at zero.

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            and labels.
        beta: > 0, per nat.
        alpha: > 1, the regularizer's weight; below, the loss is unbounded.
        desirable_weight, undesirable_weight: > 0, factors of the whole loss; for unbalanced labels
            choose them so that weight times count agrees between the classes.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: r_H = 0, as in all the paper's reported experiments: good where a response's
        log-probability is below -10.
    Limits: alpha log 2 at policy = reference, with gradient -beta s. The optimum is at
        sigma(r) = 1/2 + s/alpha, hence alpha > 1. Equals `pro_s` on one response of that s.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> good = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> pro_b(Singles(good, tensor([True])), beta=0.1, alpha=2.5)
    tensor([1.6860])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    reward = beta * batch.completion.logratio
    score = where(batch.desirable, 0.5, -0.5)
    weight = where(batch.desirable, desirable_weight, undesirable_weight)
    optimizer = -score * reward  # Appendix D, first term
    regularizer = -(logsigmoid(reward) + logsigmoid(-reward)) / 2  # Appendix D, second term
    return weight * (optimizer + alpha * regularizer)
