from torch import Tensor, relu

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="SLiC-HF",
    paper="arXiv:2305.10425v1",
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference-free", "general"),
)
def slic_hf(batch: Pairs, *, delta: Positive = 1.0, regularization: NonNegative = 0.1) -> Tensor:
    """A hinge on the likelihoods themselves, with the chosen response's likelihood as anchor.

    Eq. (1), arXiv:2305.10425v1:

        L = max(0, delta - log pi_theta(y_w | x) + log pi_theta(y_l | x))
            - lambda log pi_theta(y_ref | x)

        w, l    chosen, rejected: batch.chosen.policy, batch.rejected.policy
        y_ref   the response to stay close to; here the chosen one
        delta   delta; lambda  regularization

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats.
        delta: > 0, nats; the margin that is enough.
        regularization: >= 0, the weight of the likelihood.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: piecewise linear; finite where log-probabilities are.
    Deviations: y_ref is the chosen response, as in HALOs; the paper takes the SFT target, which
        feedback data do not have. TRL's `hinge` is another loss: `rso_hinge`.
    Limits: there is no reference. Where the margin exceeds delta only the likelihood remains, with
        gradient -lambda on chosen; elsewhere -1 - lambda on chosen and +1 on rejected.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> slic_hf(Pairs(chosen, rejected), delta=3.0, regularization=0.1)
    tensor([2.])

    References: Zhao et al., SLiC-HF: Sequence Likelihood Calibration with Human Feedback,
        arXiv:2305.10425v1; ContextualAI/HALOs, `SLiCTrainer`.
    """
    calibration = relu(delta - batch.chosen.policy + batch.rejected.policy)  # Eq. (1), first term
    likelihood = -batch.chosen.policy  # Eq. (1), second term
    return calibration + regularization * likelihood
