from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="R-DPO",
    paper="arXiv:2403.19159v2",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "length bias"),
)
def r_dpo(batch: Pairs, *, beta: Positive = 0.1, alpha: NonNegative = 0.01) -> Tensor:
    """DPO for a reward that costs alpha a token: a longer winner has less left to win.

    The objective of the section on length regularization, arXiv:2403.19159v2:

        L = - log sigma(beta h_w - beta h_l + alpha |y_w| - alpha |y_l|)
        h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        |y|        batch.chosen.tokens, batch.rejected.tokens
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, lengths, and
            reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: >= 0, nats a token; the penalty on length. Tuned by data set from 0.005 to 1.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. No code by the authors is public; SamPO's `lenN` has 0.1 for alpha.
    Limits: with lengths equal, or alpha = 0, `dpo`. At policy = reference the gradient is
        -beta sigma(-alpha (|y_w| - |y_l|)) on chosen and the opposite on rejected: smaller than
        DPO's for a longer winner, larger for a shorter one.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> r_dpo(Pairs(chosen, rejected), beta=0.1, alpha=0.01)
    tensor([0.6256])

    References: Park et al., Disentangling Length from Quality in Direct Preference Optimization,
        arXiv:2403.19159v2; its loss read in LuJunru/SamPO at 25e9631, `lenN`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    longer = (batch.chosen.tokens - batch.rejected.tokens).to(margin.dtype)
    return -logsigmoid(margin + alpha * longer)  # section on length regularization
