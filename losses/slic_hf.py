from torch import Tensor

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="SLiC-HF",
    paper="arXiv:2305.10425v1",
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "supervised", "general"),
)
def slic_hf(batch: Pairs, *, delta: Positive = 1.0, weight: NonNegative = 0.1) -> Tensor:
    """Hinge on the log-probabilities themselves, without a reference, and likelihood of a target.

    Eq. (4), arXiv:2305.10425v1, with the chosen response as the target y_ref:

        L = max(0, delta - log pi_theta(y_w | x) + log pi_theta(y_l | x))
            - lambda log pi_theta(y_ref | x)

        y_w, y_l   chosen, rejected: batch.chosen.policy, batch.rejected.policy
        y_ref      the chosen response
        delta      delta; lambda  weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats.
        delta: > 0, nats; the margin beyond which a pair is left alone. 1 in the paper.
        weight: >= 0, the weight of the likelihood; 0.1 as in HALOs.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: linear on both sides of the hinge; at the hinge itself its slope is taken as zero.
    Deviations: y_ref is the chosen response, as in HALOs; the paper takes the target of supervised
        training or the best decoded response, and finds little difference. The paper's lambda is
        not told. TRL's `hinge` is not this loss: it has a reference, and is `rso_hinge`.
    Limits: the reference plays no part: delta - lambda log pi_theta(y_w | x) where both responses
        are equally likely, with gradient -1 - lambda on chosen and +1 on rejected. Beyond the
        margin -lambda and 0: supervised training.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen, rejected = (Completions(tensor([p]), tensor([5])) for p in (-10.0, -12.0))
    >>> slic_hf(Pairs(chosen, rejected), delta=3.0, weight=0.1)
    tensor([2.])

    References: Zhao et al., SLiC-HF: Sequence Likelihood Calibration with Human Feedback,
        arXiv:2305.10425v1; ContextualAI/HALOs at 4831988, `SLiCTrainer` and `slic.yaml`.
    """
    chosen, rejected = batch.chosen.policy, batch.rejected.policy
    calibration = (delta - chosen + rejected).relu()  # Eq. (4), first term
    likelihood = -chosen  # Eq. (4), second term
    return calibration + weight * likelihood
