from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="SFT-DPO",
    paper="arXiv:2406.07327v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "supervised", "likelihood displacement"),
    fidelity="unverified",
)
def sft_dpo(batch: Pairs, *, beta: Positive = 0.1, sft_weight: NonNegative = 0.05) -> Tensor:
    """DPO plus the chosen response's log-likelihood, with a weight of its own.

    Section 3.3, arXiv:2406.07327v2:

        L = - log sigma(beta h_w - beta h_l) - gamma log pi_theta(y_w | x)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta; gamma  sft_weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        sft_weight: >= 0, dimensionless. The paper's was not read: the default pulls as hard on the
            chosen response as DPO does at the reference.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: read as a sum over tokens; whether the paper takes sum or mean was not read. The
        mean is `iterative_rpo`, the sum weighted by beta is `rpo`.
    Limits: log 2 - gamma log pi_ref(y_w | x) at policy = reference, with gradient -beta/2 - gamma
        on chosen and +beta/2 on rejected. sft_weight = 0 is `dpo`; sft_weight = eta beta is `rpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> sft_dpo(Pairs(chosen, rejected), beta=0.1, sft_weight=0.05)
    tensor([1.1210])

    References: Yan et al., 3D-Properties: Identifying Challenges in DPO and Charting a Path
        Forward, arXiv:2406.07327v2. Its abstract and reviews were read, the equation itself was
        not; no code is public.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    preference = -logsigmoid(margin)  # section 3.3, first term
    return preference - sft_weight * batch.chosen.policy  # section 3.3, second term
