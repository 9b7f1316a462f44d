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
    """DPO that expects longer responses to win: what length explains is not learnt.

    Eq. (9), arXiv:2403.19159v2:

        L = - log sigma(beta h_w - beta h_l + alpha |y_w| - alpha |y_l|)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        |y|        batch.chosen.tokens, batch.rejected.tokens
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference and
            tokens.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: >= 0, per token; the price of length. The paper tunes it, from 0.005 to 1.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. Lengths are in tokens.
    Limits: at policy = reference the gradient is -beta sigma(alpha |y_l| - alpha |y_w|) on chosen.
        `dpo` at alpha = 0, or where both responses are of one length.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> r_dpo(Pairs(chosen, rejected), beta=0.1, alpha=0.05)
    tensor([0.6444])

    References: Park et al., Disentangling Length from Quality in Direct Preference Optimization,
        arXiv:2403.19159v2; LuJunru/SamPO, its length-normalised DPO.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    longer = alpha * (batch.chosen.tokens - batch.rejected.tokens)
    return -logsigmoid(margin + longer)  # Eq. (9)
