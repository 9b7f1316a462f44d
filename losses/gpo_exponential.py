from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="GPO (exponential)",
    paper="arXiv:2402.05749v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "general"),
    fidelity="unverified",
)
def gpo_exponential(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Generalized preference optimization with AdaBoost's loss: wrong pairs weigh exponentially.

    Equation of section 2 with f of Table 1, arXiv:2402.05749v2:

        L = f(beta h_w - beta h_l),    f(u) = e^(-u)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the paper sweeps it, the default is DPO's.

    Returns:
        [B], > 0, lower is better; unreduced.

    Numerics: e^(-u) is clamped at e^30, so that a step stays finite in float32: a pair wrong by
        more than 30 / beta nats has no gradient.
    Deviations: none known, but see the fidelity. The other f of the table: logistic (`dpo`), hinge
        and square (SLiC, IPO), `gpo_truncated_quadratic`, `gpo_savage`.
    Limits: 1 at policy = reference, with gradient -beta on chosen and +beta on rejected. For right
        pairs it is `dpo`: log(1 + e^(-u)) tends to e^(-u). Swapping the two gives 1 / L.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> gpo_exponential(Pairs(chosen, rejected), beta=0.1)
    tensor([0.8607])

    References: Tang et al., Generalized Preference Optimization: A Unified Approach to Offline
        Alignment, arXiv:2402.05749v2. The table was not read again; no code is public.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return (-margin).clamp(max=30).exp()  # section 2 with f of Table 1
