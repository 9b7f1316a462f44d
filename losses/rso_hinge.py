from torch import Tensor, relu

from plumbline import Pairs, Positive, method


@method(
    title="RSO (hinge)",
    paper="arXiv:2309.06657v2",
    needs=("reference",),
    oracle="TRL `hinge`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def rso_hinge(batch: Pairs, *, gamma: Positive = 0.05) -> Tensor:
    """A support vector machine on log-ratios: a margin of 1 / gamma is enough.

    Eq. (10) (hinge-norm), arXiv:2309.06657v2:

        L = max(0, 1 - gamma (h_w - h_l)),    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        gamma      gamma

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        gamma: > 0, per nat; 0.05 in the paper.

    Returns:
        [B], lower is better; unreduced.

    Numerics: piecewise linear; finite where log-ratios are.
    Deviations: the loss alone. The paper's pairs come from its rejection sampler; here they are the
        data's. SLiC-HF's hinge is on likelihoods: `slic_hf`.
    Limits: 1 at policy = reference, with gradient -gamma on chosen and +gamma on rejected; zero
        beyond a margin of 1 / gamma.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> rso_hinge(Pairs(chosen, rejected), gamma=0.1)
    tensor([0.8500])

    References: Liu et al., Statistical Rejection Sampling Improves Preference Optimization,
        arXiv:2309.06657v2; TRL's `hinge`.
    """
    margin = gamma * (batch.chosen.logratio - batch.rejected.logratio)
    return relu(1 - margin)  # Eq. (10)
