from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from plumbline import Pairs, Positive, Real, method


@method(
    title="Constrained PO",
    paper="arXiv:2605.20834v1",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "length bias"),
)
def constrained_po(
    batch: Pairs,
    *,
    beta: Positive = 2.5,
    gamma: Real = 0.05,
    tau: Positive = 2.0,
    alpha: Positive = 1.0,
) -> Tensor:
    """Per-token DPO that asks for a wider margin where the reference got the pair wrong.

    Equation of the loss (section of the method) in the code of arXiv:2605.20834v1:

        L = - log sigma(beta (p_w - p_l) - beta g - beta a)
        g = q_w - q_l,    a = softplus(tau (gamma - g)) / (alpha tau)

        w, l      chosen, rejected
        p_y, q_y  log pi_theta(y | x) / |y| and log pi_ref(y | x) / |y|
        beta      beta; gamma  gamma; tau  tau; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, reference and
            tokens.
        beta: > 0, per nat and token.
        gamma: nats per token; the reference's margin above which nothing is added.
        tau: > 0, how sharply the addition sets in.
        alpha: > 0; the larger, the smaller the addition.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` and `softplus` neither overflow nor lose their gradient at either end.
    Deviations: the form of the authors' code. Contrastive PO is also called CPO.
    Limits: length-normalised DPO as alpha grows, or where the reference's margin is far over gamma.
        At policy = reference the gradient on chosen is -beta sigma(beta a) / |y_w|.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> constrained_po(Pairs(chosen, rejected))
    tensor([1.1482])

    References: Constrained preference optimization, arXiv:2605.20834v1, and its code.
    """
    margin = batch.chosen.mean_policy - batch.rejected.mean_policy
    chosen = batch.chosen.reference / batch.chosen.tokens
    prior = chosen - batch.rejected.reference / batch.rejected.tokens
    addition = softplus(tau * (gamma - prior)) / (alpha * tau)
    return -logsigmoid(beta * (margin - prior - addition))  # Eq. of the loss
