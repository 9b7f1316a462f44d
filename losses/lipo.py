from torch import Tensor
from torch.nn.functional import softplus

from plumbline import Lists, Positive, method


@method(
    title="LiPO-lambda",
    paper="arXiv:2402.01878v3",
    needs=("reference",),
    exempt=(
        (
            "toy_run",
            "the weights have no gradient and grow as the ranks come to agree with the scores, so "
            "the loss rises in steps while every pair's own term falls",
        ),
    ),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def lipo(batch: Lists, *, beta: Positive = 0.05) -> Tensor:
    """DPO on every pair of a list, weighted by what swapping the two would do to the DCG.

    Eq. (8), arXiv:2402.01878v3:

        L = sum over psi_i > psi_j of |G_i - G_j| |1/D(t_i) - 1/D(t_j)| log(1 + exp(s_j - s_i))

        psi_i  score of response i;  G_i = 2^psi_i - 1
        s_i    beta * log-ratio of response i
        t_i    rank of response i by s, 1 for the highest; D(t) = log(1 + t), natural
        beta   beta

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1]; the authors' are mean probabilities of winning.
        beta: > 0, per nat; 0.05 in the paper.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `softplus` neither overflows nor loses its gradient at either end.
    Deviations: the discounts are differences of 1/D, as in DCG and as the paper prints them; copies
        of its text that lose the fraction bar read D(t_i) - D(t_j). Where log-ratios tie, as all do
        at policy = reference, the ranks follow the order of the list. In-context ranking's code has
        a `lipo` of another sign and discount.
    Limits: ranks change in steps and carry no gradient: the loss jumps where two log-ratios cross,
        and near the reference it is larger where the ranks agree with the scores (or are their
        reverse) than where they are mixed, so that its value does not tell progress.
        N = 2 is `dpo` times |G_w - G_l| (1/log 2 - 1/log 3). Equal scores give no loss.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> lipo(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.3306])

    References: Liu et al., LiPO: Listwise Preference Optimization through Learning-to-Rank,
        arXiv:2402.01878v3. No code by the authors is public.
    """
    reward = beta * batch.completions.logratio
    rank = reward.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1) + 1
    gain = batch.scores.exp2()  # G + 1: only differences count
    discount = 1 / rank.to(reward.dtype).log1p()
    better = (gain.unsqueeze(-1) - gain.unsqueeze(-2)).clamp(min=0)  # [B, i, j]: 0 unless i wins
    swap = (discount.unsqueeze(-1) - discount.unsqueeze(-2)).abs()
    margin = reward.unsqueeze(-1) - reward.unsqueeze(-2)
    return (better * swap * softplus(-margin)).sum((-2, -1))  # Eq. (8)
