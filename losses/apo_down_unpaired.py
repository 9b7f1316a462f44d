from torch import Tensor, where

from plumbline import Positive, Singles, method


@method(
    title="APO-down (unpaired)",
    paper="arXiv:2408.06266v1",
    needs=("reference",),
    coupled=True,
    exempt=(
        (
            "sign_at_reference",
            "by design desirable responses are not raised: at the reference the push down of the "
            "first term and the push up of the second cancel where labels are balanced",
        ),
    ),
    oracle="TRL `apo_down` on one pair; hand calculation",
    axes=("point-wise", "offline", "reference", "likelihood displacement"),
    fidelity="unverified",
)
def apo_down_unpaired(
    batch: Singles,
    *,
    beta: Positive = 0.1,
    desirable_weight: Positive = 1.0,
    undesirable_weight: Positive = 1.0,
) -> Tensor:
    """Every response down, and undesirable ones below the desirable ones' mean.

    Eq. (8), arXiv:2408.06266v1, one term for each label; c is the mean of h over the batch's
    desirable responses and stands where the equation has the pair's own chosen response:

        L = lambda_D sigma(beta h)             desirable
        L = lambda_U (1 - sigma(beta (c - h))) undesirable

        h                   batch.completion.logratio
        lambda_D, lambda_U  desirable_weight, undesirable_weight
        beta                beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            and labels. A batch without desirable responses has c = 0, the reference.
        beta: > 0, per nat.
        desirable_weight, undesirable_weight: > 0; for unbalanced labels choose them so that
            weight times count agrees between the classes.

    Returns:
        [B], between 0 and the weight, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: the paper and TRL have APO-down for pairs only. This reading is ours: c carries
        gradient, as the chosen response does in Eq. (8).
    Limits: weight / 2 at policy = reference; there, with as many desirable as undesirable ones,
        the gradient is 0 on desirable and +beta/4 on undesirable responses, as in Eq. (8). One
        response of each label gives the two terms of APO-down on that pair.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([-11.0, -11.5])}
    >>> both = Completions(tensor([-10.0, -12.0]), tensor([4, 5]), needed)
    >>> apo_down_unpaired(Singles(both, tensor([True, False])), beta=0.1)
    tensor([0.5250, 0.4626])

    References: D'Oosterlinck et al., Anchored Preference Optimization and Contrastive Revisions:
        Addressing Underspecification in Alignment, arXiv:2408.06266v1; TRL's `apo_down`, version
        1.16, which names Eq. (8). No unpaired form was found.
    """
    ratio, labels = batch.completion.logratio, batch.desirable
    centre = (ratio * labels).sum() / labels.sum().clamp(min=1)
    desirable = desirable_weight * (beta * ratio).sigmoid()  # Eq. (8), the term of the chosen
    undesirable = undesirable_weight * (beta * (ratio - centre)).sigmoid()  # Eq. (8), the rejected
    return where(labels, desirable, undesirable)
