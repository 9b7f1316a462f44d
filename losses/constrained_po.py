from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="Constrained PO",
    paper="arXiv:2605.20834v1",
    needs=("reference",),
    oracle="hand calculation; TRL `sigmoid_norm` at alpha = infinity",
    axes=("pair-wise", "offline", "reference", "general"),
)
def constrained_po(
    batch: Pairs,
    *,
    beta: Positive = 2.5,
    gamma: NonNegative = 0.05,
    tau: Positive = 2.0,
    alpha: Positive = 1.0,
) -> Tensor:
    """DPO per token that asks for more where the reference's own margin falls short of gamma.

    `cpo_loss` of the authors' code to arXiv:2605.20834v1, against the region of its Eq. (14), where
    a policy is better than the reference and still prefers the rejected response:

        L = - log sigma(beta [d - d_ref - s(gamma - d_ref) / alpha])
        d = log pi_theta(y_w | x) / |y_w| - log pi_theta(y_l | x) / |y_l|, and d_ref that of pi_ref
        s(z) = log(1 + e^(tau z)) / tau

        w, l    chosen, rejected
        d       batch.chosen.mean_policy - batch.rejected.mean_policy
        d_ref   the same with batch.chosen.reference / batch.chosen.tokens, ...
        beta    beta; gamma  gamma; tau  tau; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, lengths, and
            reference.
        beta: > 0, per nat a token; the strength of the anchor to the reference.
        gamma: >= 0, nats a token; the margin that the policy is held to.
        tau: > 0, per nat a token; the greater, the closer s comes to max(0, z).
        alpha: > 0, the greater, the weaker the constraint.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `softplus` does not overflow, where the authors' log(1 + exp) does.
    Deviations: none from `cpo_loss`. The authors' code has two more losses: one with the margin
        gamma (1 / log-probability of w + the same of l), which its example trains, and `clip`,
        which is `hybrid_dpo` per token. Of the paper the abstract was read; by others' account its
        own margin is gamma over probabilities, for which the code's three stand in. Not `cpo`.
    Limits: alpha towards infinity is DPO on means over tokens (TRL's `sigmoid_norm`). With alpha =
        1 and tau towards infinity the policy's margin is measured from max(d_ref, gamma). The
        gradient at policy = reference is -beta sigma(beta s / alpha) / |y_w| on chosen.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> constrained_po(Pairs(chosen, rejected), beta=2.5, gamma=0.05, tau=2.0, alpha=1.0)
    tensor([1.1482])

    References: Yang et al., Conditional Equivalence of DPO and RLHF: Implicit Assumption, Failure
        Modes, and Provable Alignment, arXiv:2605.20834v1; visitworld123/CPO at 6a54cfd,
        `cpo_loss`, and its `cpo-demo.yaml` for the defaults.
    """
    margin = batch.chosen.mean_policy - batch.rejected.mean_policy
    chosen = batch.chosen.reference / batch.chosen.tokens
    rejected = batch.rejected.reference / batch.rejected.tokens
    shortfall = softplus(gamma - (chosen - rejected), beta=tau)
    target = chosen - rejected + shortfall / alpha  # what escapes the region of Eq. (14)
    return -logsigmoid(beta * (margin - target))
