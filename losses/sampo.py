from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="SamPO",
    paper="arXiv:2406.10957v4",
    needs=("token_values", "token_reference", "token_sample"),
    oracle="TRL `sigmoid` on the sampled tokens; hand calculation",
    axes=("token-level", "offline", "reference", "length bias"),
)
def sampo(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO on equally many tokens of both responses: the longer one's are drawn at random.

    Section 3, arXiv:2406.10957v4:

        L = - log sigma(beta S_w - beta S_l),    S_y = sum over t in T_y of h_y,t

        h_y,t  log-ratio of token t of chosen (w) or rejected (l)
        T_y    min(|y_w|, |y_l|) tokens of y, uniformly without replacement: all of the shorter one
        beta   beta

    Args:
        batch: pairs with per-token log-probabilities [B, T] in nats, those of the reference, and
            the sample.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the sample is fixed with the data, by seed and example, and is the same for policy
        and reference; the authors' code draws anew at each step, and another one for the
        reference.
    Limits: log 2 at policy = reference, with gradient -beta/2 on each sampled token of chosen and
        +beta/2 of rejected, and zero on others. Two responses of one length give `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, sample):
    ...     needed = {"token_policy": tensor([policy]), "token_mask": tensor([[True, True]]),
    ...               "token_reference": tensor([reference]), "token_sample": tensor([sample])}
    ...     return Completions(tensor([sum(policy)]), tensor([2]), needed)
    >>> chosen = column([-4.0, -6.0], [-4.5, -6.5], [1.0, 0.0])
    >>> rejected = column([-7.0, 0.0], [-6.5, 0.0], [1.0, 0.0])
    >>> sampo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6444])

    References: Lu et al., Eliminating Biased Length Reliance of Direct Preference Optimization via
        Down-Sampled KL Divergence, arXiv:2406.10957v4; LuJunru/SamPO at 25e9631,
        `get_batch_logps`.
    """
    sums = [
        ((column.token_policy - column.token_reference) * column.token_sample).sum(-1)
        for column in (batch.chosen, batch.rejected)
    ]
    return -logsigmoid(beta * (sums[0] - sums[1]))  # section 3
