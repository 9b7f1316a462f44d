from torch import Tensor, arange, inf, triu_indices, where
from torch.nn.functional import softplus

from plumbline import Fraction, Lists, Positive, Real, method


@method(
    title="DynamicPO",
    paper="arXiv:2605.00327v1",
    needs=("reference",),
    exempt=(
        ("gradcheck", "beta follows the policy's log-probabilities and is detached by design"),
    ),
    oracle="hand calculation; scikit-learn's KMeans",
    axes=("list-wise", "offline", "reference", "overfitting"),
)
def dynamic_po(
    batch: Lists, *, beta: Positive = 1.0, margin: Real = 2.0, swing: Fraction = 0.5
) -> Tensor:
    """S-DPO against the negatives near the boundary only, each with a beta of its own.

    Section 4, arXiv:2605.00327v1, as its code applies it to S-DPO:

        L     = log(1 + sum_(l in S) exp(beta_l (h_l - h_w)))
        S     = negatives at least as likely as the best response, p_l >= p_w; where there is none,
                the likeliest of three clusters of the p_l (k-means)
        beta_l = beta (1 + m tanh[ (d_1 - d_2 - g) / (|d_1| + |d_2|) ])
        d_1   = p_w - p_l,    d_2 = p_l - mean of p over the negatives outside S

        h, p   log-ratio, log-probability under the policy, without gradient in S and beta_l
        w      the response with the highest score; negatives: all others
        g      margin; m  swing; beta  beta

    Args:
        batch: lists of N >= 2 with log-probabilities [B, N], sums over completion tokens in nats,
            reference, and scores in [0, 1], which choose w.
        beta: > 0, per nat; 1 in the authors' scripts.
        margin: nats of log-probability at which beta is not adjusted; 2 in the authors' code.
        swing: in [0, 1], the largest relative change of beta; 1/2 in the authors' code.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: sums of exponentials are taken in logarithms, without the code's 1e-8.
    Deviations: k-means is solved exactly, on one line, where the code starts scikit-learn's from
        one random state; fewer than three negatives, where that fails, are clusters of their own.
        Where all negatives are in S the mean is over S, as in the code. Written for liked and
        sampled items, which are short; p is a sum over tokens and favours short responses.
    Limits: swing 0 and all negatives in S is `softmax_dpo`. At policy = reference beta_l still
        differs from beta. The loss jumps where a negative enters S.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> dynamic_po(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.6210])

    References: Hu et al., DynamicPO: Dynamic Preference Optimization for Recommendation,
        arXiv:2605.00327v1; xingyuHuxingyu/DynamicPO at 1d82aa3, `dynamicpo_trainer.py`, and at
        145578a, `exploratory_study_trainer.py`, `DynamicPO_SDPO`.
    """
    order = batch.scores.argsort(dim=-1, descending=True, stable=True)
    ratio = batch.completions.logratio.gather(-1, order)
    policy = batch.completions.policy.gather(-1, order).detach()
    best, negative = policy[:, :1], policy[:, 1:]
    near = negative >= best
    near = where(near.any(-1, keepdim=True), near, _likeliest_cluster(negative))
    far = where(near.all(-1, keepdim=True), near, ~near)
    first = best - negative
    second = negative - (negative * far).sum(-1, keepdim=True) / far.sum(-1, keepdim=True)
    ambiguity = (first - second - margin) / (first.abs() + second.abs()).clamp(min=1e-8)
    betas = beta * (1 + swing * ambiguity.tanh())  # section 4, beta_l
    gap = betas * (ratio[:, 1:] - ratio[:, :1])
    return softplus(gap.masked_fill(~near, -inf).logsumexp(-1))  # section 4, L


def _likeliest_cluster(values: Tensor) -> Tensor:
    """Which [B, K] of the values are in the highest of three clusters, by exact k-means."""
    count = values.shape[-1]
    ordered = values.sort(-1, descending=True).values.unsqueeze(-2)  # [B, 1, K]
    place = arange(count, device=values.device)
    first, last = (triu_indices(count, count, device=values.device) + 1).unsqueeze(-1)
    clusters = place < first, (place >= first) & (place < last), place >= last  # each [cuts, K]
    size = first.squeeze(-1)[sum(_spread(ordered, item) for item in clusters).argmin(-1)]
    rank = values.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    return rank < size.unsqueeze(-1)


def _spread(values: Tensor, members: Tensor) -> Tensor:
    """The sum of squares about the members' mean; 0 for a cluster without any."""
    mean = (values * members).sum(-1, keepdim=True) / members.sum(-1, keepdim=True).clamp(min=1)
    return ((values - mean) ** 2 * members).sum(-1)
