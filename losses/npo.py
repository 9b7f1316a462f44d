from torch import Tensor, where
from torch.nn.functional import softplus

from plumbline import NonNegative, Positive, Singles, method


@method(
    title="NPO",
    paper="arXiv:2404.05868v1",
    needs=("reference",),
    oracle="mpmath",
    axes=("point-wise", "unlearning", "reference", "forgetting"),
)
def npo(batch: Singles, *, beta: Positive = 0.1, retain_weight: NonNegative = 1.0) -> Tensor:
    """Unlearning: DPO's half for rejected responses, beside the likelihood of what is to be kept.

    Eq. (3) and the retain loss of section 2, arXiv:2404.05868v1:

        L = (2/beta) log(1 + exp(beta h))          to forget: undesirable
        L = - w log pi_theta(y | x) / |y|          to retain: desirable

        h     log-ratio of the completion; |y| its tokens
        w     retain_weight
        beta  beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, token
            counts, reference, and labels: undesirable is to be forgotten, desirable retained.
        beta: > 0, per nat; the larger, the sooner the push on what is forgotten ends.
        retain_weight: >= 0; 1 in the authors' configuration, 0 is NPO alone.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `softplus` neither overflows nor loses its gradient at either end.
    Deviations: as in the authors' `npo_grad_diff` the forget term takes the sum over tokens and the
        retain term a mean, here of each completion, there of all retained tokens of a batch. There
        each step has as many completions of either kind; here the data decide.
    Limits: (2/beta) log 2 at policy = reference where forgetting, with gradient +1. For beta close
        to zero the gradient on what is forgotten is `gradient_ascent`'s everywhere. Both terms are
        bounded below.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> bad = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> npo(Singles(bad, tensor([False])), beta=0.1)
    tensor([13.3692])

    References: Zhang et al., Negative Preference Optimization: From Catastrophic Collapse to
        Effective Unlearning, arXiv:2404.05868v1; licong-lin/negative-preference-optimization at
        1207bbe, `TOFU/dataloader.py`.
    """
    completion = batch.completion
    forget = softplus(beta * completion.logratio) * 2 / beta  # Eq. (3)
    retain = -completion.mean_policy  # section 2, retain loss
    return where(batch.desirable, retain_weight * retain, forget)
