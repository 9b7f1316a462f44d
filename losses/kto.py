from torch import Tensor, where

from plumbline import Positive, Singles, method


@method(
    title="KTO",
    paper="arXiv:2402.01306v4",
    needs=("reference", "mismatched"),
    coupled=True,
    oracle="TRL `kto`; mpmath",
    axes=("point-wise", "offline", "reference", "imbalance"),
)
def kto(
    batch: Singles,
    *,
    beta: Positive = 0.1,
    desirable_weight: Positive = 1.0,
    undesirable_weight: Positive = 1.0,
) -> Tensor:
    """Prospect-theoretic loss: each response against a reference point shared by the whole batch.

    Eq. (8), arXiv:2402.01306v4:

        L = lambda_y - v,    v = lambda_D sigma(beta (h - z_0))   desirable
                             v = lambda_U sigma(beta (z_0 - h))   undesirable
        z_0 = max(0, mean over the batch of log pi_theta(y' | x) / pi_ref(y' | x)), no gradient

        h                   batch.completion.logratio
        y'                  batch.mismatched: another prompt's completion
        lambda_D, lambda_U  desirable_weight, undesirable_weight
        beta                beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            labels, and mismatched completions.
        beta: > 0, per nat.
        desirable_weight, undesirable_weight: > 0; for unbalanced labels choose them so that
            weight times count agrees between the classes.

    Returns:
        [B], between 0 and the weight, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: y' is a column fixed with the data, where the authors rotate the completions inside
        each micro-batch: here z_0 does not depend on batch geometry.
    Limits: weight / 2 at policy = reference, with gradient -beta/4 (desirable) or +beta/4.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> good = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> other = Completions(tensor([-30.0]), tensor([4]), {"reference": tensor([-30.3])})
    >>> kto(Singles(good, tensor([True]), other), beta=0.1)
    tensor([0.4825])

    References: Ethayarajh et al., KTO: Model Alignment as Prospect Theoretic Optimization,
        arXiv:2402.01306v4; ContextualAI/HALOs, `KTOTrainer`; TRL's `KTOTrainer`.
    """
    z0 = batch.mismatched.logratio.mean().detach().clamp(min=0)
    gain = beta * (batch.completion.logratio - z0)
    desirable = desirable_weight * (1 - gain.sigmoid())  # Eq. (8), first case of v
    undesirable = undesirable_weight * (1 - (-gain).sigmoid())  # Eq. (8), second case of v
    return where(batch.desirable, desirable, undesirable)
