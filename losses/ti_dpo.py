from torch import Tensor
from torch.nn.functional import logsigmoid, relu

from plumbline import Completions, Fraction, NonNegative, Pairs, Positive, Samples, method


@method(
    title="TI-DPO",
    paper="arXiv:2505.19653v3",
    needs=("token_values", "token_reference", "token_importance", "reference_samples"),
    oracle="mpmath",
    axes=("token-level", "offline", "divergence", "general"),
)
def ti_dpo(
    batch: Pairs,
    *,
    beta: Positive = 0.1,
    mix: Fraction = 0.7,
    gamma: NonNegative = 0.1,
    margin: NonNegative = 0.001,
    samples: Samples = 1,
) -> Tensor:
    """DPO on weighted tokens, and a triplet loss: an anchor is nearer to chosen than to rejected.

    Eqs. (7), (8), (11) to (14) and Algorithm 1, arXiv:2505.19653v3:

        L = - log sigma(beta D) + gamma max(0, N_w - N_l + alpha)
        D = sum over t of w_w,t h_w,t - sum over t of w_l,t h_l,t
        w_y,t = lambda I_y,t + (1 - lambda) P_y,t,    P_y,t ~ exp(-((t - mu) / sigma)^2 / 2)
        N_y = sum over t of (h_a,t - h_y,t)^2

        h_y,t      log-ratio of token t = 0 ... T - 1 of chosen (w) or rejected (l)
        h_a,t      that of the anchor, a completion of the same prompt: batch.reference_samples
        I_y,t      batch.chosen.token_importance, or rejected
        mu, sigma  (T - 1) / 2 and T / 4 of a completion of T tokens
        beta beta; lambda mix; gamma gamma; alpha margin

    Args:
        batch: pairs with per-token log-probabilities [B, T] in nats, those of the reference, and
            the tokens' importance; and one or more completions drawn from the reference [B, K, T].
        beta: > 0, per nat; the strength of the anchor to the reference.
        mix: in [0, 1], how much of a token's weight is its importance and not its place.
        gamma: >= 0, per squared nat; weight of the triplet loss.
        margin: >= 0, squared nats; by how much the anchor is to be nearer to chosen.
        samples: how many anchors, over which the triplet loss is a mean; the paper has one.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end; distances are
        squares, 1e8 per token at log-ratios of 1e4.
    Deviations: the anchor is drawn once from the reference, where the paper draws one from the
        policy at every step, and importance is the reference's, where the paper's is the policy's;
        both are fixed with the data. I and P sum to one over a completion, as Eq. (8) calls them
        distributions; the authors' code, as its ports tell, multiplies their mixture by T, takes
        T / 8 for sigma, and adds TDPO2's divergences, whose weight is alpha in Table B13. Of an
        anchor and a completion of unequal length the places count that both have. The paper gives
        no margin; 0.001 is the authors' configuration's.
    Limits: log 2 + gamma margin at policy = reference, with gradient -beta w/2 on a token of
        chosen, +beta w/2 on one of rejected, and none on anchors.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def needed(policy, reference):
    ...     known = {"token_policy": tensor(policy), "token_reference": tensor(reference)}
    ...     return known | {"token_mask": tensor(policy) < 0}
    >>> def column(policy, reference, importance):
    ...     known = needed([policy], [reference]) | {"token_importance": tensor([importance])}
    ...     return Completions(tensor([sum(policy)]), tensor([2]), known)
    >>> chosen = column([-4.0, -6.0], [-4.5, -6.5], [0.9, 0.1])
    >>> rejected = column([-7.0, -5.0], [-6.5, -5.0], [0.2, 0.8])
    >>> anchor = needed([[[-3.0, -5.0]]], [[[-2.5, -5.5]]])
    >>> anchors = Completions(tensor([[-8.0]]), tensor([[2]]), anchor)
    >>> ti_dpo(Pairs(chosen, rejected, {"reference_samples": anchors}), beta=0.1)
    tensor([0.7365])

    References: Yang et al., Token-Importance Guided Direct Preference Optimization,
        arXiv:2505.19653v3, Table B13 for beta, gamma and lambda; the values of the authors'
        configuration in `PAPER_HYPERPARAMETERS.md` of latent-lm/TIDPO at f8d5b9a.
    """
    anchors = batch.reference_samples

    def weighted(column: Completions) -> Tensor:
        mask = column.token_mask.to(column.token_policy.dtype)
        place, count = mask.cumsum(-1) - 1, mask.sum(-1, keepdim=True)
        spread = 2 * (count / 4) ** 2
        prior = (-((place - (count - 1) / 2) ** 2) / spread).exp() * mask  # Eq. (7)
        prior = prior / prior.sum(-1, keepdim=True)
        weight = mix * column.token_importance + (1 - mix) * prior  # Eq. (8)
        return (weight * _logratios(column)).sum(-1)  # Eq. (11)

    def distance(column: Completions) -> Tensor:
        width = min(column.token_mask.shape[-1], anchors.token_mask.shape[-1])
        here, there = _logratios(column)[:, None, :width], _logratios(anchors)[..., :width]
        both = column.token_mask[:, None, :width] & anchors.token_mask[..., :width]
        return ((there - here) ** 2 * both).sum(-1)[:, : int(samples)]  # Eq. (13), [B, k]

    gain = weighted(batch.chosen) - weighted(batch.rejected)
    triplet = relu(distance(batch.chosen) - distance(batch.rejected) + margin)  # Eq. (13)
    return -logsigmoid(beta * gain) + gamma * triplet.mean(-1)  # Eqs. (12), (14)


def _logratios(column: Completions) -> Tensor:
    """log policy/reference of each token."""
    return column.token_policy - column.token_reference
