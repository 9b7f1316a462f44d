from torch import Tensor, triu_indices
from torch.nn.functional import logsigmoid, pad

from plumbline import Lists, Positive, method


@method(
    title="PRO-S",
    paper="arXiv:2505.23316v2",
    needs=("reference",),
    optimum="alpha > (n + 1) * (n - 1) / n**2",
    theorem="Theorem 4.2, arXiv:2505.23316v2, at the worst scores in [0, 1]",
    oracle="mpmath",
    axes=("list-wise", "offline", "reference", "likelihood displacement"),
)
def pro_s(batch: Lists, *, beta: Positive = 0.1, alpha: Positive = 2.5) -> Tensor:
    """PRO for N scored responses: a push by centred score, every pair held together.

    Appendix D, arXiv:2505.23316v2:

        L = - (1/N) sum_i s_i r_i
            - alpha * mean over pairs {a, b} of y_1..y_N, H of (1/2) [log sigma(r_a - r_b)
                                                                    + log sigma(r_b - r_a)]
        s_i    score_i minus the mean score of its prompt
        r_i    beta * log-ratio of response i
        r_H    the same of the hyper-response H, all other responses together; taken as 0
        alpha  alpha; beta  beta

    There are N (N + 1) / 2 pairs: a coefficient of 2 alpha / (N (N + 1)) each, which the paper
    takes so that alpha means the same for every N.

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1].
        beta: > 0, per nat.
        alpha: the regularizer's weight. An optimum exists if alpha > (N + 1) |sum of s over Y0|
            / (m (N + 1 - m)) for every set Y0 of m responses; over scores in [0, 1] the worst
            case is one response at 0 and the others at 1 (or the reverse): (N + 1)(N - 1) / N^2.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: r_H = 0, as in all the paper's reported experiments. How the paper scales its
        scores is not told; here they lie in [0, 1], so that |s_i| < 1.
    Limits: alpha log 2 at policy = reference, with gradient -beta s_i / N. Two responses scored
        1 and 0 at alpha = 3/2 give half of `pro_p`; one response gives `pro_b` with s = 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> pro_s(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1, alpha=2.5)
    tensor([1.6990])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    reward = beta * batch.completions.logratio
    score = batch.scores - batch.scores.mean(-1, keepdim=True)
    optimizer = -(score * reward).mean(-1)  # Appendix D, first term
    rewards = pad(reward, (0, 1))  # [B, N + 1]: r_H = 0 stands last
    first, second = triu_indices(rewards.shape[-1], rewards.shape[-1], offset=1)
    difference = rewards[:, first] - rewards[:, second]  # [B, N (N + 1) / 2]
    regularizer = -(logsigmoid(difference) + logsigmoid(-difference)).mean(-1) / 2  # second term
    return optimizer + alpha * regularizer
