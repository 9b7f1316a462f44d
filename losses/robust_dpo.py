from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="Robust DPO",
    paper="arXiv:2403.00409v2",
    needs=("reference",),
    optimum="epsilon < 0.5",
    theorem="section 3, arXiv:2403.00409v2: unbiased for flip rates below one half",
    oracle="TRL `robust`; mpmath",
    axes=("pair-wise", "offline", "reference", "label noise"),
)
def robust_dpo(batch: Pairs, *, beta: Positive = 0.1, epsilon: Fraction = 0.1) -> Tensor:
    """DPO's loss without the bias that labels flipped at a known rate put into it.

    The unbiased loss of section 3, arXiv:2403.00409v2:

        L = [(1 - epsilon) l(u) - epsilon l(-u)] / (1 - 2 epsilon),    l(u) = - log sigma(u)
        u = beta h_w - beta h_l,    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected, as the label says
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; epsilon  epsilon

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        epsilon: the share of pairs whose label is flipped; below 1/2.

    Returns:
        [B], nats, lower is better, may be negative; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. `cdpo`, with a plus before its second term, is another loss.
    Limits: log 2 at policy = reference, with gradient -beta / (2 (1 - 2 epsilon)) on chosen and the
        opposite on rejected. The mean over labels flipped at rate epsilon is `dpo` on the clean
        label. On one label it falls without end, as -epsilon u / (1 - 2 epsilon). epsilon = 0 is
        `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> robust_dpo(Pairs(chosen, rejected), beta=0.1, epsilon=0.2)
    tensor([0.5710])

    References: Ray Chowdhury, Kini, Natarajan, Provably Robust DPO: Aligning Language Models with
        Noisy Feedback, arXiv:2403.00409v2, its loss and defaults read in TRL's paper index at
        f2cd577; TRL 1.16's `robust`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    kept = -logsigmoid(margin)
    flipped = -logsigmoid(-margin)
    return ((1 - epsilon) * kept - epsilon * flipped) / (1 - 2 * epsilon)  # section 3
