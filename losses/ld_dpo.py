from torch import Tensor, arange, minimum
from torch.nn.functional import logsigmoid

from plumbline import Completions, Fraction, Pairs, Positive, method


@method(
    title="LD-DPO",
    paper="arXiv:2409.06411v2",
    needs=("token_values", "token_reference"),
    oracle="TRL `ld_alpha`",
    axes=("token-level", "offline", "reference", "length bias"),
)
def ld_dpo(batch: Pairs, *, beta: Positive = 0.1, alpha: Fraction = 0.5) -> Tensor:
    """DPO in which the tokens that one response has beyond the other's length count less.

    Section 3, arXiv:2409.06411v2:

        L = - log sigma(beta H_w - beta H_l),
        H_y = sum over t <= m of h_y,t + alpha * sum over t > m of h_y,t,    m = min(|y_w|, |y_l|)

        h_y,t  log-ratio of token t of chosen (w) or rejected (l)
        alpha  alpha; beta  beta

    Args:
        batch: pairs with per-token log-probabilities [B, T] in nats, and those of the reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: in [0, 1], what a token beyond the shared length counts.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. The paper tunes alpha for each model and names no default; 0.5 is the
        middle of its range.
    Limits: log 2 at policy = reference, with gradient -beta/2 on each shared token of chosen and
        +beta/2 of rejected, alpha times that on those beyond. alpha = 1, or two responses of one
        length, is `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, tokens):
    ...     needed = {"token_policy": tensor([policy]), "token_reference": tensor([reference]),
    ...               "token_mask": tensor([[True, tokens > 1]])}
    ...     return Completions(tensor([sum(policy)]), tensor([tokens]), needed)
    >>> chosen = column([-4.0, -6.0], [-4.5, -6.5], 2)
    >>> rejected = column([-7.0, 0.0], [-6.5, 0.0], 1)
    >>> ld_dpo(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([0.6326])

    References: Liu et al., Length Desensitization in Direct Preference Optimization,
        arXiv:2409.06411v2; TRL's `ld_alpha`.
    """
    shared = minimum(batch.chosen.tokens, batch.rejected.tokens)

    def weighted(column: Completions) -> Tensor:
        ratios = column.token_policy - column.token_reference
        inside = arange(ratios.shape[-1], device=ratios.device) < shared[:, None]
        return (ratios * inside).sum(-1) + alpha * (ratios * ~inside).sum(-1)  # section 3: H_y

    return -logsigmoid(beta * (weighted(batch.chosen) - weighted(batch.rejected)))  # section 3: L
