from torch import Tensor, exp, log1p, logsumexp, triu_indices
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Lists, Positive, method


@method(
    title="PRO (general, r_H kept)",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    optimum="alpha * eta * (n - eta) > 2 * (n - 1)",
    theorem="Theorem 4.2, arXiv:2505.23316v2, at the worst scores in [0, 1]",
    oracle="mpmath",
    axes=("list-wise", "offline", "reference", "likelihood displacement"),
)
def pro_hyper(
    batch: Lists, *, beta: Positive = 0.1, alpha: Positive = 6.25, eta: Fraction = 0.8
) -> Tensor:
    """PRO as its theory has it: what is not labelled has a probability of its own.

    Section 4, Eq. (6) and Eq. (9), arXiv:2505.23316v2, over Y_H = {y_1..y_N, H}:

        L = - (1/N) sum_i s_i r_i + alpha * sum over pairs {a, b} of Y_H of mu(a) mu(b) K(r_a - r_b)
        r_H = beta log [(1 - sum_i pi_theta(y_i)) / (1 - sum_i pi_ref(y_i))]
        mu(y_i) = eta / N,    mu(H) = 1 - eta,    K(d) = - (1/2) [log sigma(d) + log sigma(-d)]

        s_i    score_i minus the mean score of its prompt
        r_i    beta * log-ratio of response i
        H      the hyper-response, all other responses together
        alpha, beta, eta    alpha, beta, eta

    Each pair stands twice in the paper's (alpha/2) E_{a, b ~ mu} [K]. Its K is lower by log 2, and
    its first term is -beta s_i log pi_theta: constants.

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1].
        beta: > 0, per nat.
        alpha: > 0, the regularizer's weight. An optimum exists if alpha > 2 |sum of s over Y0|
            / (m eta (1 - m eta / N)) for every set Y0 of m responses; over scores in [0, 1] the
            worst case is one response at 0 and the others at 1.
        eta: between 0 and 1, the labelled responses' share of mu; N / (N + 1) gives every pair of
            Y_H one weight.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: the labelled mass is clamped at exp(-1e-4), where log1p(-exp(.)) still has three
        digits in float32; above, as for a response that stands twice in its list, r_H is constant.
    Deviations: none known; the paper's reported experiments take r_H = 0, as `pro` does.
    Limits: `pro` where every response is improbable: below -10 the gradients differ by 1e-6 of
        theirs. On two responses of scores 3/4 and 1/4, eta = 2/3 and alpha = 9/4 give a quarter of
        `pro_p_hyper`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-1.5, -2.5]])}
    >>> completions = Completions(tensor([[-1.0, -2.0]]), tensor([[1, 1]]), needed)
    >>> pro_hyper(Lists(completions, tensor([[0.75, 0.25]])), beta=1.0, alpha=2.25, eta=2 / 3)
    tensor([0.5623])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    labelled = batch.completions
    masses = (
        logsumexp(side, -1).clamp(max=-1e-4) for side in (labelled.policy, labelled.reference)
    )
    policy_rest, reference_rest = (log1p(-exp(mass)) for mass in masses)
    hyper = beta * (policy_rest - reference_rest)  # Eq. (6)
    reward = beta * labelled.logratio
    score = batch.scores - batch.scores.mean(-1, keepdim=True)
    optimizer = -(score * reward).mean(-1)  # section 4, first term
    first, second = triu_indices(reward.shape[-1], reward.shape[-1], offset=1)
    difference = reward[:, first] - reward[:, second]  # [B, N (N - 1) / 2]
    inside = -(logsigmoid(difference) + logsigmoid(-difference)).sum(-1) / 2
    above = reward - hyper.unsqueeze(-1)
    across = -(logsigmoid(above) + logsigmoid(-above)).sum(-1) / 2
    each = eta / reward.shape[-1]  # Eq. (9)
    regularizer = each**2 * inside + each * (1 - eta) * across  # section 4, second term
    return optimizer + alpha * regularizer
