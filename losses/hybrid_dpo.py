from torch import Tensor, relu
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="Hybrid DPO",
    paper="arXiv:2602.11902v1",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "general"),
)
def hybrid_dpo(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO that listens to the reference only where it prefers the chosen response.

    Unnumbered equation of the loss (section of the method), arXiv:2602.11902v1:

        L = - log sigma(beta [ log pi_theta(y_w | x) - log pi_theta(y_l | x) - max(0, g) ])
        g = log pi_ref(y_w | x) - log pi_ref(y_l | x)

        w, l   chosen, rejected: batch.chosen.policy, batch.chosen.reference, ...
        beta   beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: sums over tokens, as in DPO; the code read works with means per token. It is also
        called HyPO, as is another paper's method with online samples.
    Limits: `dpo` where the reference prefers the chosen response; without a reference where it does
        not. At policy = reference the loss is log 2 there, more here.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> hybrid_dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6210])

    References: Hybrid preference optimization, arXiv:2602.11902v1; the `clip` loss of Constrained
        PO's code.
    """
    margin = batch.chosen.policy - batch.rejected.policy
    prior = relu(batch.chosen.reference - batch.rejected.reference)
    return -logsigmoid(beta * (margin - prior))  # Eq. of the loss
