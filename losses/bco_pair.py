from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="BCO (pairs)",
    paper="arXiv:2404.04656v1",
    needs=("reference",),
    oracle="TRL `bco_pair`; mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def bco_pair(batch: Pairs, *, beta: Positive = 0.01) -> Tensor:
    """A classifier of good and bad responses whose logit is the reward; on pairs, without shift.

    Equation of the binary cross-entropy with delta = 0, arXiv:2404.04656v1, in TRL's reading:

        L = - log sigma(beta h_w) - log sigma(-beta h_l)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the paper subtracts a reward shift delta, a running mean of all rewards, and weighs
        unpaired data by a density ratio. TRL's `bco_pair` has neither, nor has this. Older TRL
        shifts by a running mean of the batches' rewards.
    Limits: 2 log 2 at policy = reference, with gradient -beta/2 on chosen and +beta/2 on rejected,
        as in `dpo`, of which it is an upper bound. No response's gradient depends on the other.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> bco_pair(Pairs(chosen, rejected), beta=0.1)
    tensor([1.3129])

    References: Jung et al., Binary Classifier Optimization for Large Language Model Alignment,
        arXiv:2404.04656v1; TRL's `bco_pair`.
    """
    chosen = -logsigmoid(beta * batch.chosen.logratio)  # equation, a good response
    rejected = -logsigmoid(-beta * batch.rejected.logratio)  # equation, a bad one
    return chosen + rejected
