from torch import Tensor, where

from plumbline import Singles, method


@method(
    title="Gradient ascent",
    paper="arXiv:2404.05868v1",
    exempt=(
        (
            "sign_at_reference",
            "it forgets and does nothing else: what is to be retained has no term",
        ),
    ),
    oracle="mpmath",
    axes=("point-wise", "unlearning", "reference-free", "forgetting"),
)
def gradient_ascent(batch: Singles) -> Tensor:
    """Unlearning by turning the sign of the likelihood of what is to be forgotten.

    Eq. (1), arXiv:2404.05868v1:

        L = log pi_theta(y | x)          to forget: undesirable
        L = 0                            to retain: desirable

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, and labels:
            undesirable is to be forgotten, desirable is not looked at.

    Returns:
        [B], nats, lower is better; unreduced.

    Deviations: TOFU's code and that of the authors of NPO take the mean over tokens, where the
        equation has the sum; with one length, or an optimizer that scales its steps, they are the
        same. A retained completion counts in the mean of a batch with a loss of zero.
    Limits: unbounded below at every point, without a hyperparameter that could bound it: what ends
        it is the number of steps. `npo` is the bounded form.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> completions = Completions(tensor([-10.0, -12.0]), tensor([4, 5]))
    >>> gradient_ascent(Singles(completions, tensor([True, False])))
    tensor([  0., -12.])

    References: Zhang et al., Negative Preference Optimization, arXiv:2404.05868v1, which gives the
        loss others used before; licong-lin/negative-preference-optimization at 1207bbe and
        locuslab/tofu at bdc209e, `grad_ascent` in `dataloader.py`.
    """
    return where(batch.desirable, 0.0, batch.completion.policy)  # Eq. (1)
