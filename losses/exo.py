from math import log, log1p

from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="EXO",
    paper="arXiv:2402.00856v2",
    needs=("reference",),
    oracle="TRL `exo_pair`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def exo(batch: Pairs, *, beta: Positive = 0.1, epsilon: Fraction = 1e-3) -> Tensor:
    """Reverse KL from the policy's preference to a smoothed label, where DPO takes the forward one.

    Eq. (16), arXiv:2402.00856v2, for two responses:

        L = q log(q / (1 - epsilon)) + (1 - q) log((1 - q) / epsilon)
        q = sigma(beta h_w - beta h_l)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta (beta_pi in the paper); epsilon  epsilon

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        epsilon: between 0 and 1/2, both excluded: the label's smoothing.

    Returns:
        [B], nats, 0 at best; lower is better; unreduced.

    Numerics: `logsigmoid` does not overflow; where q is 0 or 1 in float32 the gradient is zero.
    Deviations: none known. The authors' code writes log epsilon = -10 and leaves log(1 - epsilon)
        out; TRL takes epsilon = 1e-3 where none is given, as here.
    Limits: -log 2 - log(epsilon (1 - epsilon)) / 2 at policy = reference, with gradient
        -/+ (beta/4) log((1 - epsilon) / epsilon) on chosen and rejected. The margin stops at
        log((1 - epsilon) / epsilon) / beta, where the loss is 0. A pair that is far on the wrong
        side has no gradient, unlike in `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> exo(Pairs(chosen, rejected), beta=0.1, epsilon=0.1)
    tensor([0.4314])

    References: Ji et al., Towards Efficient and Exact Optimization of Language Model Alignment,
        arXiv:2402.00856v2; haozheji/exact-optimization at a8ab360, `exact_loss`; TRL's `exo_pair`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    right = margin.sigmoid() * (logsigmoid(margin) - log1p(-epsilon))  # Eq. (16), y_w
    wrong = (-margin).sigmoid() * (logsigmoid(-margin) - log(epsilon))  # Eq. (16), y_l
    return right + wrong
