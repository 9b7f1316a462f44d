from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Completions, Pairs, Positive, method


@method(
    title="WPO",
    paper="arXiv:2406.11827v2",
    needs=("reference", "token_values", "token_log_squares"),
    oracle="TRL `use_weighting`",
    exempt=(("gradcheck", "the weights are constants by design: the paper stops their gradient"),),
    axes=("pair-wise", "offline", "reference", "distribution shift"),
)
def wpo(batch: Pairs, *, beta: Positive = 0.01) -> Tensor:
    """DPO, each pair weighted by how likely the policy itself would be to give its responses.

    Eq. (2) and the sampled alignment of section 3, arXiv:2406.11827v2:

        L = - w_w w_l log sigma(beta h_w - beta h_l),
        w_y = exp((1/|y|) sum over t of [log p_t(y_t) - log sum over v of p_t(v)^2])

        h_y   log-ratio of chosen (w) or rejected (l)
        p_t   the policy's distribution of token t, without gradient in w
        beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference,
            per-token log-probabilities [B, T], and the log sum of squared probabilities.
        beta: > 0, per nat; 0.01 in the authors' Mistral and Llama-3 configurations.

    Returns:
        [B], nats times a weight, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. A weight is at
        most exp(mean of -log sum p^2 / 2) <= sqrt(V), and zero for an impossible response.
    Deviations: none known. As in TRL, the weights are not divided by anything over the batch; a
        token drawn from the policy has the weight 1 in expectation.
    Limits: w_w w_l log 2 at policy = reference, with gradient -+ w_w w_l beta/2. Weights of one
        give `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, squares):
    ...     needed = {"reference": tensor([reference]), "token_policy": tensor([policy]),
    ...               "token_mask": tensor([[True, True]]), "token_log_squares": tensor([squares])}
    ...     return Completions(tensor([sum(policy)]), tensor([2]), needed)
    >>> chosen = column([-1.0, -2.0], -4.0, [-1.0, -1.5])
    >>> rejected = column([-2.0, -2.0], -3.5, [-1.0, -2.0])
    >>> wpo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.2933])

    References: Zhou et al., WPO: Enhancing RLHF with Weighted Preference Optimization,
        arXiv:2406.11827v2; TRL's `use_weighting`; wzhouad/WPO at b8d147d, its
        `training_configs`.
    """

    def weight(column: Completions) -> Tensor:
        ratios = column.token_policy - column.token_log_squares
        return ((ratios * column.token_mask).sum(-1) / column.tokens).exp().detach()

    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -weight(batch.chosen) * weight(batch.rejected) * logsigmoid(margin)  # Eq. (2)
