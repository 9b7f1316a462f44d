from torch import Tensor, where

from plumbline import Singles, method


@method(
    title="Gradient difference",
    paper="arXiv:2401.06121v1",
    oracle="hand calculation",
    axes=("point-wise", "unlearning", "supervised", "forgetting"),
)
def gradient_difference(batch: Singles) -> Tensor:
    """Unlearning: ascent on the loss of what is to be forgotten, descent on what is retained.

    Section 4, arXiv:2401.06121v1, as its code has it:

        L = + log pi_theta(y | x) / |y|          to forget: undesirable
        L = - log pi_theta(y | x) / |y|          to retain: desirable

        |y|   tokens of the completion

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, token
            counts, and labels: undesirable is to be forgotten, desirable retained.

    Returns:
        [B], nats per token, lower is better; unreduced.

    Deviations: the code takes its means over all tokens of a batch's completions of one kind, here
        over those of each completion. There each step has as many completions of either kind; here
        the data decide, and with them the weight of forgetting.
    Limits: unbounded below at every point, without a hyperparameter that could bound it: what ends
        it is the number of steps. `npo` is the bounded form. `gradient_ascent` takes sums over
        tokens, not means.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> completions = Completions(tensor([-10.0, -12.0]), tensor([4, 5]))
    >>> gradient_difference(Singles(completions, tensor([True, False])))
    tensor([ 2.5000, -2.4000])

    References: Maini et al., TOFU: A Task of Fictitious Unlearning for LLMs, arXiv:2401.06121v1,
        after Liu, Liu, Stone, Continual Learning and Private Unlearning, arXiv:2203.12817;
        locuslab/tofu at bdc209e, `grad_diff` in `dataloader.py`, which is what was read.
    """
    mean = batch.completion.mean_policy
    return where(batch.desirable, -mean, mean)  # section 4
