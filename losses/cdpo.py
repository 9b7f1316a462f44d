from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="Conservative DPO",
    paper="Mitchell, A note on DPO with noisy preferences, 2023",
    needs=("reference",),
    oracle="mpmath; TRL `aot` on one pair with label smoothing",
    axes=("pair-wise", "offline", "reference", "label noise"),
)
def cdpo(batch: Pairs, *, beta: Positive = 0.1, epsilon: Fraction = 0.1) -> Tensor:
    """DPO where a label is taken to be wrong with probability epsilon: the margin stops.

    Eq. of the target distribution in Mitchell, A note on DPO with noisy preferences, 2023:

        L = - (1 - epsilon) log sigma(beta h_w - beta h_l) - epsilon log sigma(beta h_l - beta h_w)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; epsilon  epsilon

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        epsilon: in [0, 1], the share of labels that are flipped; below 1/2, or labels mean nothing.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. HALOs' default is epsilon = 0.2.
    Limits: log 2 at policy = reference, with gradient -beta (1/2 - epsilon) on chosen and the
        opposite on rejected. The optimum is at sigma(margin) = 1 - epsilon. `dpo` at epsilon = 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> cdpo(Pairs(chosen, rejected), beta=0.1, epsilon=0.2)
    tensor([0.6510])

    References: Eric Mitchell, A note on DPO with noisy preferences & relationship to IPO, 2023;
        eric-mitchell/direct-preference-optimization at f8b8c0f, `label_smoothing`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    kept = -logsigmoid(margin)  # Eq. of the target, label right
    flipped = -logsigmoid(-margin)  # Eq. of the target, label wrong
    return (1 - epsilon) * kept + epsilon * flipped
