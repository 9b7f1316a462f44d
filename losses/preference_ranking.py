from torch import Tensor, diag_embed, inf, ones_like

from plumbline import Lists, NonNegative, method


@method(
    title="Preference Ranking Optimization",
    paper="arXiv:2306.17492v1",
    oracle="hand calculation",
    axes=("list-wise", "offline", "supervised", "general"),
)
def preference_ranking(batch: Lists, *, sft_weight: NonNegative = 0.05) -> Tensor:
    """Each response against those ranked below it, the harder the further apart their scores.

    Section 3, arXiv:2306.17492v1, over k = 1..N in the order of the scores s:

        L = - sum_(k < N) log [ exp(p_k d_k) / (exp(p_k d_k) + sum_(i > k) exp(p_i (s_k - s_i))) ]
            - b (N - 1)^2 log pi_theta(y_1 | x)

        p_i   log-probability per token of the response with the i-th highest score
        d_k   s_k - s_N, the largest of the differences s_k - s_i
        b     sft_weight

    The paper writes the differences as inverse temperatures: 1 / T_k^i = s_k - s_i, T_k^k the
    smallest T_k^i.

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, token
            counts, and scores in [0, 1].
        sft_weight: >= 0, the weight of the best response's likelihood on a list of two; on longer
            lists it grows with the square.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: sums of exponentials are taken in logarithms, without the 1e-10 of the authors' code.
    Deviations: the form with scores, which the authors' code has; with ranks only, all temperatures
        are 1. The likelihood of the best response is a sum over tokens, as in the code, and the
        contrast a mean. Scores in [0, 1] differ by less than the reward model's there. Tied
        responses count as ranked in the order of the list, without contrast between them.
    Limits: not Proximalized Preference Optimization (`pro_p`, `pro_b`, `pro_s`), which is also
        called PRO. Two responses scored 1 and 0 with weight 0 are `dpo` on means without
        reference.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]))
    >>> preference_ranking(Lists(completions, tensor([[1.0, 0.0]])), sft_weight=0.05)
    tensor([1.2444])

    References: Song et al., Preference Ranking Optimization for Human Alignment,
        arXiv:2306.17492v1; AlibabaResearch/DAMO-ConvAI at 483554e, `PRO/train`, `compute_loss`.
    """
    order = batch.scores.argsort(dim=-1, descending=True, stable=True)
    score = batch.scores.gather(-1, order)
    policy = batch.completions.policy.gather(-1, order)
    mean = batch.completions.mean_policy.gather(-1, order)
    difference = score.unsqueeze(-1) - score.unsqueeze(-2)  # [B, k, i]: s_k - s_i
    widest = diag_embed(score - score[:, -1:])
    logit = (difference + widest) * mean.unsqueeze(-2)
    above = ones_like(logit, dtype=bool).tril(-1)  # i < k: no longer in the race
    rest = logit.masked_fill(above, -inf).logsumexp(-1)
    contrast = (rest - logit.diagonal(dim1=-2, dim2=-1)).sum(-1)  # section 3, first term
    supervised = -policy[:, 0] * (score.shape[-1] - 1) ** 2  # section 3, second term
    return contrast + sft_weight * supervised
