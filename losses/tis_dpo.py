from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Completions, Pairs, Positive, Real, method


@method(
    title="TIS-DPO",
    paper="arXiv:2410.04350v3",
    needs=("token_values", "token_reference", "token_reverse_divergence", "token_contrast"),
    oracle="hand calculation",
    axes=("token-level", "offline", "divergence", "label noise"),
    fidelity="unverified",
)
def tis_dpo(
    batch: Pairs,
    *,
    beta: Positive = 0.1,
    scale: Positive = 1.0,
    sharpness: Positive = 1.0,
    low: Real = -0.5,
    high: Real = 1.5,
) -> Tensor:
    """DPO in which a token weighs what two contrastive models tell of its reward.

    Section 4, arXiv:2410.04350v3:

        L = - log sigma(u - eta)
        u = beta sum_t w_w,t h_w,t - beta sum_t w_l,t h_l,t
        eta = beta sum_t w_w,t D_w,t - beta sum_t w_l,t D_l,t
        w_y,t = k exp(mu clamp(log pi+(y_t) / pi-(y_t), L, U)),   -mu in place of mu for y_l

        h_y,t     log-ratio of token t of chosen (w) or rejected (l)
        D_y,t     KL(pi_theta || pi_ref) at token t
        pi+, pi-  trained by DPO on the pairs, and on the pairs with their labels reversed
        k scale; mu sharpness; L low; U high; beta  beta

    Args:
        batch: pairs with per-token log-probabilities [B, T] in nats, those of the reference, the
            reverse divergence, and the contrast log pi+/pi-.
        beta: > 0, per nat; the strength of the anchor to the reference.
        scale, sharpness: > 0, factor of the weights, and how fast they grow with the contrast.
        low, high: low <= high, in nats; where the contrast is cut.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end; the contrast is
        cut before exp.
    Deviations: the form of the weights and their constants are from memory of the paper. Code that
        follows the authors' release multiplies eta by 0.5, or leaves it out; here it is the
        paper's. Of the paper's three contrastive pairs this is the one trained by DPO.
    Limits: log 2 at policy = reference, with gradient -beta/2 times its weight on a token of
        chosen and +beta/2 times it on one of rejected. low = high = 0 and scale = 1 is DPO minus
        the difference of sequential reverse divergences.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference, divergence, contrast):
    ...     needed = {"token_policy": tensor([policy]), "token_mask": tensor([[True, True]]),
    ...               "token_reference": tensor([reference]), "token_contrast": tensor([contrast]),
    ...               "token_reverse_divergence": tensor([divergence])}
    ...     return Completions(tensor([sum(policy)]), tensor([2]), needed)
    >>> chosen = column([-4.0, -6.0], [-4.5, -6.5], [0.1, 0.2], [1.0, -1.0])
    >>> rejected = column([-7.0, -5.0], [-6.5, -5.0], [0.1, 0.1], [-2.0, 0.0])
    >>> tis_dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.5822])

    References: Liu et al., TIS-DPO: Token-level Importance Sampling for Direct Preference
        Optimization With Estimated Weights, arXiv:2410.04350v3 (the abstract); of
        PhiVanDat123/TIS-DPO at 40347bd, a copy of the authors' repository, how pi+ and pi- are
        trained; `tisdpo_loss` of repositories that derive from it.
    """

    def weighted(column: Completions, slope: float) -> Tensor:
        weight = scale * (slope * column.token_contrast.clamp(low, high)).exp()  # section 4: w
        gain = column.token_policy - column.token_reference - column.token_reverse_divergence
        return (weight * gain * column.token_mask).sum(-1)

    gains = weighted(batch.chosen, sharpness) - weighted(batch.rejected, -sharpness)
    return -logsigmoid(beta * gains)  # section 4: u - eta
