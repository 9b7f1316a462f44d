from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="f-SFT (Pearson chi2)",
    paper="arXiv:2507.00018v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("point-wise", "offline", "divergence", "general"),
    fidelity="unverified",
)
def f_sft_pearson(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """SFT as learning an implicit reward, with a divergence under which that reward has an end.

    Section 3, arXiv:2507.00018v2, not read; the loss here is what its abstract and the imitation
    learning it builds on give, with the Pearson divergence f(t) = (t - 1)^2:

        L = - phi(r_w),    phi(x) = - f*(-x) = x - x^2 / 4,    f*(u) = sup over t of u t - f(t)

        r_w   beta * log-ratio of the chosen response, its implicit reward
        beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference;
            the rejected response is not looked at.
        beta: > 0, per nat; the strength of the anchor to the reference.

    Returns:
        [B], no unit, lower is better; unreduced.

    Deviations: unverified. The value of the prompt, which the theory adds to the reward and takes
        from the loss, is taken as zero; how the paper treats it and which beta it uses is unknown.
    Limits: 0 at policy = reference, with gradient -beta on chosen. The optimum is r_w = 2, where
        the log-ratio is 2 / beta and the loss -1; beyond, the response is pulled back. For beta
        close to zero L / beta is SFT's loss on sums, up to a constant; so it is for the total
        variation, whose phi is x.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> f_sft_pearson(Pairs(chosen, rejected), beta=0.1)
    tensor([-0.0975])

    References: Wang et al., Implicit Reward as the Bridge: A Unified View of SFT and DPO
        Connections, arXiv:2507.00018v2, of which the abstract was read; phi as in Garg et al.,
        IQ-Learn, arXiv:2106.12142.
    """
    reward = beta * batch.chosen.logratio
    return -(reward - reward**2 / 4)  # section 3, -phi
