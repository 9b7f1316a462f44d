from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="Hybrid-DPO",
    paper="arXiv:2602.11902v1",
    needs=("reference",),
    oracle="mpmath; hand calculation",
    axes=("pair-wise", "offline", "reference", "general"),
)
def hybrid_dpo(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """DPO, but a reference that prefers the rejected response counts as one that prefers neither.

    The HyPO loss of the abstract and of the section on the method, arXiv:2602.11902v1:

        L = - log sigma(beta [D - max(0, D_ref)])
        D = log pi_theta(y_w | x) - log pi_theta(y_l | x), and D_ref the same of pi_ref

        w, l    chosen, rejected
        D       batch.chosen.policy - batch.rejected.policy
        D_ref   batch.chosen.reference - batch.rejected.reference
        beta    beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference. DPO's default.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. The kink is in
        the reference alone: the gradient has none.
    Deviations: none known. The threshold, 0, can be moved in the paper, and smoothed. The `clip`
        loss in the code of arXiv:2605.20834 is this one on means over tokens. Not the hybrid of
        arXiv:2406.01462, also called HyPO.
    Limits: where the reference prefers the chosen response, `dpo`. Elsewhere the reference drops
        out: log 2 where the policy finds both responses equally likely, with gradient -beta/2 on
        chosen and +beta/2 on rejected.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-10.5])})
    >>> hybrid_dpo(Pairs(chosen, rejected), beta=0.1)
    tensor([0.5981])

    References: Yuan et al., Mitigating Mismatch within Reference-based Preference Optimization,
        arXiv:2602.11902v1; visitworld123/CPO at 6a54cfd, `clip_loss`.
    """
    margin = batch.chosen.policy - batch.rejected.policy
    reference = batch.chosen.reference - batch.rejected.reference
    return -logsigmoid(beta * (margin - reference.relu()))  # section on HyPO
