from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Completions, Pairs, Positive, method


@method(
    title="SparsePO (MaPO)",
    paper="arXiv:2410.05102v3",
    needs=("token_values", "token_reference", "token_divergence", "token_activity"),
    oracle="hand calculation",
    axes=("token-level", "offline", "divergence", "general"),
)
def sparse_po(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """TDPO whose log-ratios and divergences count by how active the reference is at a token.

    Section 3, arXiv:2410.05102v3, with the model's activations as masks (MaPO):

        L = - log sigma(beta (H_w - H_l) - beta (D_l - D_w))
        H_y = sum over t of m_y,t h_y,t,    D_y = sum over t of m_y,t KL(pi_ref || pi_theta)_t

        h_y,t  log-ratio of token t of chosen (w) or rejected (l)
        m_y,t  mask in [0, 1], common to both terms: batch.chosen.token_activity, or rejected
        beta   beta

    Args:
        batch: pairs with per-token log-probabilities [B, T] in nats, those of the reference, the
            divergence, and the reference's activity.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the mask averages the residual stream, embeddings to last layer but one,
        where the authors' `all` also takes the inside of attention and feed-forward, normalised
        states, and the logits, group by group; one token alone has a mask of one. The paper's
        other method learns its masks and is not this file. What the authors' code calls the
        divergence is minus KL(pi_ref || pi_theta); the sign here is that of its effect.
    Limits: log 2 at policy = reference, with gradient -beta m/2 on a token of chosen and +beta m/2
        on one of rejected. Masks of one give `tdpo1`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, divergence, activity):
    ...     needed = {"token_policy": tensor([policy]), "token_mask": tensor([[True, True]]),
    ...               "token_reference": tensor([reference]), "token_activity": tensor([activity]),
    ...               "token_divergence": tensor([divergence])}
    ...     return Completions(tensor([sum(policy)]), tensor([2]), needed)
    >>> chosen = column([-4.0, -6.0], [-4.5, -6.5], [0.1, 0.2], [1.0, 0.5])
    >>> rejected = column([-7.0, -5.0], [-6.5, -5.0], [0.1, 0.1], [0.0, 1.0])
    >>> sparse_po(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6516])

    References: Christopoulou et al., SparsePO: Controlling Preference Alignment of LLMs via Sparse
        Token Masks, arXiv:2410.05102v3; huawei-noah/HEBO at 04f4ece, `SparsePO/src/trainers/
        mapo_trainer.py`, `mapo_loss` and `apply_activation_mapping`.
    """

    def masked(column: Completions) -> Tensor:
        gain = column.token_policy - column.token_reference + column.token_divergence
        return (column.token_activity * gain).sum(-1)

    return -logsigmoid(beta * (masked(batch.chosen) - masked(batch.rejected)))  # section 3
