from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="Robust DPO",
    paper="arXiv:2403.00409v2",
    needs=("reference",),
    optimum="epsilon < 0.5",
    theorem="section 3, arXiv:2403.00409v2: fewer than half of the labels are flipped",
    oracle="TRL `robust`; mpmath",
    axes=("pair-wise", "offline", "reference", "label noise"),
)
def robust_dpo(batch: Pairs, *, beta: Positive = 0.1, epsilon: Fraction = 0.1) -> Tensor:
    """An unbiased estimate, from labels flipped with a known rate, of DPO's loss on true ones.

    Eq. (12), arXiv:2403.00409v2:

        L = [ - (1 - epsilon) log sigma(m) + epsilon log sigma(-m) ] / (1 - 2 epsilon)
        m = beta h_w - beta h_l

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; epsilon  epsilon

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        epsilon: in [0, 1/2), the share of labels that are flipped.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known.
    Limits: log 2 at policy = reference, with gradient -beta / (2 (1 - 2 epsilon)) on chosen and the
        opposite on rejected. It is unbounded below on a single pair, at a large margin: only the
        mean over true and flipped labels is DPO's loss. `dpo` at epsilon = 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> robust_dpo(Pairs(chosen, rejected), beta=0.1, epsilon=0.2)
    tensor([0.5710])

    References: Chowdhury, Kini, Natarajan, Provably Robust DPO: Aligning Language Models with Noisy
        Feedback, arXiv:2403.00409v2; TRL's `robust`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    kept = -logsigmoid(margin)  # Eq. (12), as labelled
    flipped = -logsigmoid(-margin)  # Eq. (12), labels exchanged
    return ((1 - epsilon) * kept - epsilon * flipped) / (1 - 2 * epsilon)
