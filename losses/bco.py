from torch import Tensor, where
from torch.nn.functional import logsigmoid

from plumbline import Positive, Singles, method


@method(
    title="BCO",
    paper="arXiv:2404.04656v2",
    needs=("reference",),
    coupled=True,
    exempt=(("gradcheck", "delta is a constant to the gradient by design"),),
    oracle="TRL `bco_pair` where delta is 0; hand calculation",
    axes=("point-wise", "offline", "reference", "imbalance"),
)
def bco(batch: Singles, *, beta: Positive = 0.01) -> Tensor:
    """A binary classifier whose logit is the reward, shifted by the mean reward of the batch.

    Equation of the loss with reward shift, arXiv:2404.04656v2:

        L = - log sigma(r - delta)   desirable
        L = - log sigma(delta - r)   undesirable

        r      beta * batch.completion.logratio
        delta  mean of r over the batch, no gradient
        beta   beta

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            and labels.
        beta: > 0, per nat; 0.01 in the authors' experiments.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: delta is the mean of the global batch, so that a loss is a function of its batch;
        the authors' code in TRL takes the mean of all rewards since training began. Over all
        responses, as there, and not half the sum of the two labels' means, which differs where
        labels are unbalanced. TRL's `bco_pair` has no delta.
    Limits: log 2 at policy = reference, with gradient -beta/2 (desirable) or +beta/2. Adding a
        constant to every log-ratio of the batch changes nothing. A batch of one response has
        delta = r, and always log 2.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([-11.0, -11.5])}
    >>> both = Completions(tensor([-10.0, -12.0]), tensor([4, 5]), needed)
    >>> bco(Singles(both, tensor([True, False])), beta=0.1)
    tensor([0.6564, 0.6564])

    References: Jung et al., Binary Classifier Optimization for Large Language Model Alignment,
        arXiv:2404.04656v2; huggingface/trl at 054a0da, `BCOTrainer.bco_loss`.
    """
    reward = beta * batch.completion.logratio
    advantage = reward - reward.mean().detach()  # equation of the loss: r - delta
    return -logsigmoid(where(batch.desirable, advantage, -advantage))  # its two cases
