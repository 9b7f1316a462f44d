import math

from torch import Tensor, eye, inf
from torch.nn.functional import softplus

from plumbline import Lists, Positive, method


@method(
    title="IRPO (in-context ranking)",
    paper="arXiv:2504.15477v1",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def irpo(batch: Lists, *, beta: Positive = 1.0) -> Tensor:
    """Each response against the mean odds of the others, weighted by its term of the DCG.

    Section 3, arXiv:2504.15477v1, as its code has it:

        L = - (1/N) sum_i w_i log sigma(- log [ (1/(N-1)) sum_(j != i) exp(r_j - r_i) ])
        w_i = (2^score_i - 1) / log_2(1 + k_i)

        r_i   beta * log-ratio of response i
        k_i   rank of response i by its score, 1 for the best
        beta  beta

    Args:
        batch: lists of N >= 2 with log-probabilities [B, N], sums over completion tokens in nats,
            reference, and scores in [0, 1], the relevance.
        beta: > 0, per nat; 1 in the authors' configuration.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `softplus` of a sum of exponentials taken in logarithms: no overflow at either end.
    Deviations: the paper ranks items of one list in one prompt, with relevance judged by users;
        here the list is the responses of a prompt and k its order by score, tied responses in the
        order of the list. Not Iterative Reasoning Preference Optimization, also called IRPO.
    Limits: log 2 times the mean weight at policy = reference. N = 2 with scores 1 and 0 is half of
        `dpo`. A response of score 0 has no term of its own and is only pushed down.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> irpo(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.3105])

    References: Wu et al., In-context Ranking Preference Optimization, arXiv:2504.15477v1; the
        authors' code, loss `rdpo`.
    """
    reward = beta * batch.completions.logratio
    count = reward.shape[-1]
    rank = batch.scores.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1) + 1
    weight = (batch.scores.exp2() - 1) / (rank + 1).to(reward.dtype).log2()  # section 3, w_i
    odds = reward.unsqueeze(-2) - reward.unsqueeze(-1)  # [B, i, j]: r_j - r_i
    itself = eye(count, dtype=bool, device=reward.device)
    others = odds.masked_fill(itself, -inf).logsumexp(-1) - math.log(count - 1)
    return (weight * softplus(others)).mean(-1)  # section 3
