from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="PRO-P",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    oracle="mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def pro_p(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO with its full regularizer restored, for pairs: the level of both responses is anchored.

    Theorem 4.3 and Appendix D, arXiv:2505.23316v2, with eta = 2/3 and alpha = 1/eta^2 = 9/4:

        L = - log sigma(r_w - r_l) - (1/2) sum over y in {w, l} of [log sigma(r_y - r_H)
                                                                  + log sigma(r_H - r_y)]
        r_y   beta * log-ratio of chosen (w) or rejected (l)
        r_H   the same of the hyper-response H, all other responses together; taken as 0
        beta  beta

    With K(d) = - log 2 - (1/2)[log sigma(d) + log sigma(-d)] this is -(1/2)(r_w - r_l)
    + K(r_w - r_l) + K(r_w) + K(r_l) + 3 log 2: every pair of {w, l, H} weighs the same.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: unit scale, which is 4 times the scale of the population loss. r_H = 0, as in all
        the paper's reported experiments: good where a response's log-probability is below -10.
    Limits: 3 log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected,
        as in DPO. Half of it is `pro_s` on two responses scored 1 and 0 at alpha = 3/2. Unlike
        DPO it tells a pair from the same pair shifted down together.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> pro_p(Pairs(chosen, rejected), beta=0.1)
    tensor([2.0088])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public. Not Preference Ranking Optimization
        (arXiv:2306.17492), which is also called PRO.
    """
    chosen = beta * batch.chosen.logratio
    rejected = beta * batch.rejected.logratio
    contrast = -logsigmoid(chosen - rejected)  # Theorem 4.3, the pair (w, l)
    anchor_chosen = -(logsigmoid(chosen) + logsigmoid(-chosen)) / 2  # Theorem 4.3, (w, H)
    anchor_rejected = -(logsigmoid(rejected) + logsigmoid(-rejected)) / 2  # Theorem 4.3, (l, H)
    return contrast + anchor_chosen + anchor_rejected
