from torch import Tensor, where

from plumbline import Positive, Singles, method


@method(
    title="APO-zero (unpaired)",
    paper="arXiv:2408.06266v1",
    needs=("reference",),
    oracle="TRL `apo_zero_unpaired`; mpmath",
    axes=("point-wise", "offline", "reference", "likelihood displacement"),
)
def apo_zero_unpaired(
    batch: Singles,
    *,
    beta: Positive = 0.1,
    desirable_weight: Positive = 1.0,
    undesirable_weight: Positive = 1.0,
) -> Tensor:
    """Desirable responses up and undesirable ones down, each against the reference alone.

    Eq. (7), arXiv:2408.06266v1, one term for each label:

        L = lambda_D (1 - sigma(beta h))   desirable
        L = lambda_U sigma(beta h)         undesirable

        h                   batch.completion.logratio
        lambda_D, lambda_U  desirable_weight, undesirable_weight
        beta                beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            and labels.
        beta: > 0, per nat.
        desirable_weight, undesirable_weight: > 0; for unbalanced labels choose them so that
            weight times count agrees between the classes.

    Returns:
        [B], between 0 and the weight, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: the paper's equation is for pairs, and a pair's loss there is the sum of both terms;
        that of singles is half of it, being a mean over single responses. The weights are
        KTO's, as in TRL.
    Limits: weight / 2 at policy = reference, with gradient -beta/4 (desirable) or +beta/4. Equals
        `kto` wherever its z_0 is 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> good = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> apo_zero_unpaired(Singles(good, tensor([True])), beta=0.1)
    tensor([0.4750])

    References: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions:
        Addressing Underspecification in Alignment, arXiv:2408.06266v1; TRL's `KTOTrainer`,
        version 1.16, which names Eq. (7).
    """
    reward = beta * batch.completion.logratio
    desirable = desirable_weight * (1 - reward.sigmoid())  # Eq. (7), the term of the chosen
    undesirable = undesirable_weight * reward.sigmoid()  # Eq. (7), the term of the rejected
    return where(batch.desirable, desirable, undesirable)
