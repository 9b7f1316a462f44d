from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="f-SFT (squared Hellinger)",
    paper="arXiv:2507.00018v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("point-wise", "offline", "divergence", "general"),
    fidelity="unverified",
)
def f_sft_hellinger(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """SFT as learning an implicit reward, with a divergence under which its gain levels off.

    Section 3, arXiv:2507.00018v2, not read; the loss here is what its abstract and the imitation
    learning it builds on give, with the squared Hellinger divergence f(t) = (sqrt(t) - 1)^2:

        L = - phi(r_w),    phi(x) = - f*(-x) = x / (1 + x),    f*(u) = sup over t of u t - f(t)

        r_w   beta * log-ratio of the chosen response, its implicit reward
        beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference;
            the rejected response is not looked at.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], no unit, lower is better; unreduced.

    Numerics: phi ends at x = -1, where it is minus infinity; below x = -1/2 its tangent continues
        it, with slope 4, so that a response that fell far is pulled back at a finite rate.
    Deviations: unverified. The value of the prompt, which the theory adds to the reward and takes
        from the loss, is taken as zero; how the paper treats it, which beta it uses and what it
        does below x = -1 is unknown.
    Limits: 0 at policy = reference, with gradient -beta on chosen. It falls to -1 as the response
        rises, ever slower. For beta close to zero L / beta is SFT's loss on sums, up to a constant.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> f_sft_hellinger(Pairs(chosen, rejected), beta=0.1)
    tensor([-0.0909])

    References: Wang et al., Implicit Reward as the Bridge: A Unified View of SFT and DPO
        Connections, arXiv:2507.00018v2, of which the abstract was read; phi as in Garg et al.,
        IQ-Learn, arXiv:2106.12142.
    """
    reward = beta * batch.chosen.logratio
    inside = reward.clamp(min=-0.5)
    tangent = 4 * (reward - inside)
    return -(inside / (1 + inside) + tangent)  # section 3, -phi
