from torch import Tensor, triu_indices
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Lists, Positive, method


@method(
    title="PRO (general)",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    optimum="alpha * eta * (n - eta) > 2 * (n - 1)",
    theorem="Theorem 4.2, arXiv:2505.23316v2, at the worst scores in [0, 1]",
    oracle="mpmath",
    axes=("list-wise", "offline", "reference", "likelihood displacement"),
)
def pro(
    batch: Lists, *, beta: Positive = 0.1, alpha: Positive = 6.25, eta: Fraction = 0.8
) -> Tensor:
    """The whole family: any number of responses, any weight of what is not labelled.

    Section 4 and Eq. (9), arXiv:2505.23316v2, over Y_H = {y_1..y_N, H}:

        L = - (1/N) sum_i s_i r_i + alpha * sum over pairs {a, b} of Y_H of mu(a) mu(b) K(r_a - r_b)
        mu(y_i) = eta / N,    mu(H) = 1 - eta,    K(d) = - (1/2) [log sigma(d) + log sigma(-d)]

        s_i    score_i minus the mean score of its prompt
        r_i    beta * log-ratio of response i
        r_H    the same of the hyper-response H, all other responses together; taken as 0
        alpha, beta, eta    alpha, beta, eta

    Each pair stands twice in the paper's (alpha/2) E_{a, b ~ mu} [K]. Its K is lower by log 2, and
    its first term is -beta s_i log pi_theta: constants.

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1].
        beta: > 0, per nat.
        alpha: > 0, the regularizer's weight. An optimum exists if alpha > 2 |sum of s over Y0|
            / (m eta (1 - m eta / N)) for every set Y0 of m responses; over scores in [0, 1] the
            worst case is one response at 0 and the others at 1 (or the reverse).
        eta: between 0 and 1, the labelled responses' share of mu; N / (N + 1) gives every pair of
            Y_H one weight.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: r_H = 0, as in all the paper's reported experiments; `pro_hyper` keeps it.
    Limits: eta = N / (N + 1) is `pro_s` at an alpha smaller by the factor N / (2 N + 2): the
        defaults are those of `pro_s` at N = 4. On win rates, hence two responses of 3/4 and 1/4,
        eta = 2/3 and alpha = 9/4 give a quarter of `pro_p`, eta = 1 and alpha = 1 a quarter of
        `dpo`. One response gives `pro_b` with s = 0 and alpha eta (1 - eta) for alpha.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> pro(Lists(completions, tensor([[0.75, 0.25]])), beta=0.1, alpha=2.25, eta=2 / 3)
    tensor([0.5022])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    reward = beta * batch.completions.logratio
    score = batch.scores - batch.scores.mean(-1, keepdim=True)
    optimizer = -(score * reward).mean(-1)  # section 4, first term
    first, second = triu_indices(reward.shape[-1], reward.shape[-1], offset=1)
    difference = reward[:, first] - reward[:, second]  # [B, N (N - 1) / 2]
    inside = -(logsigmoid(difference) + logsigmoid(-difference)).sum(-1) / 2
    across = -(logsigmoid(reward) + logsigmoid(-reward)).sum(-1) / 2
    each = eta / reward.shape[-1]  # Eq. (9)
    regularizer = each**2 * inside + each * (1 - eta) * across  # section 4, second term
    return optimizer + alpha * regularizer
