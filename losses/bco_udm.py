from torch import Tensor, where
from torch.nn.functional import logsigmoid

from plumbline import Positive, Singles, method


@method(
    title="BCO-UDM",
    paper="arXiv:2404.04656v1",
    needs=("reference", "propensity"),
    coupled=True,
    exempt=(("gradcheck", "delta is a constant to the gradient by design"),),
    oracle="hand calculation; `bco` at equal densities",
    axes=("point-wise", "offline", "reference", "distribution shift"),
)
def bco_udm(
    batch: Singles,
    *,
    beta: Positive = 0.01,
    min_density_ratio: Positive = 0.5,
    max_density_ratio: Positive = 10.0,
) -> Tensor:
    """BCO whose undesirable responses weigh as if their prompts were those of desirable ones.

    Equation of the loss with reward shift and underlying distribution matching,
    arXiv:2404.04656v1:

        L = - log sigma(r - delta)         desirable
        L = - w(x) log sigma(delta - r)    undesirable,    w(x) = p(x) / (1 - p(x))

        r      beta * batch.completion.logratio
        delta  mean of r over the batch, no gradient
        p(x)   batch.propensity: that a prompt is one of a desirable response, where both labels
               weigh the same, so that w is the ratio of their densities of prompts
        w      clamped to [min_density_ratio, max_density_ratio]

    Args:
        batch: singles with log-probabilities [B], sums over completion tokens in nats, reference,
            labels, and propensity [B].
        beta: > 0, per nat; 0.01 in the authors' experiments.
        min_density_ratio, max_density_ratio: > 0; 1/2 and 10 in the authors' code.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end; the clamp bounds
        w where p is 0 or 1.
    Deviations: delta is the mean of the global batch, as in `bco`. The classifier is a logistic
        regression on the SFT model's mean hidden state of the prompt, standardised, where the
        authors' code takes any model of sentence embeddings. The abstract of the paper's second
        version names the reward shift alone.
    Limits: log 2 or w log 2 at policy = reference, with gradient -beta/2 (desirable) or
        + w beta/2. Equals `bco` where p = 1/2, as it is where each prompt has both labels.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([-11.0, -11.5])}
    >>> both = Completions(tensor([-10.0, -12.0]), tensor([4, 5]), needed)
    >>> propensity = {"propensity": tensor([0.5, 0.75])}
    >>> bco_udm(Singles(both, tensor([True, False]), needed=propensity), beta=0.1)
    tensor([0.6564, 1.9691])

    References: Jung et al., Binary Classifier Optimization for Large Language Model Alignment,
        arXiv:2404.04656v1; huggingface/trl at 054a0da, `BCOTrainer.bco_loss`.
    """
    reward = beta * batch.completion.logratio
    advantage = reward - reward.mean().detach()  # equation of the loss: r - delta
    ratio = batch.propensity / (1 - batch.propensity)  # w(x) of the same equation
    ratio = ratio.clamp(min_density_ratio, max_density_ratio)
    desirable, undesirable = -logsigmoid(advantage), -logsigmoid(-advantage)
    return where(batch.desirable, desirable, ratio * undesirable)
