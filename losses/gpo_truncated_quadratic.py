from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="GPO (truncated quadratic)",
    paper="arXiv:2402.05749v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "overfitting"),
    fidelity="unverified",
)
def gpo_truncated_quadratic(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Generalized preference optimization with IPO's square, but no pull back from beyond its goal.

    Equation of section 2 with f of Table 1, arXiv:2402.05749v2:

        L = f(beta h_w - beta h_l),    f(u) = max(0, 1 - u)^2

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the paper sweeps it, the default is DPO's.

    Returns:
        [B], >= 0, lower is better; unreduced.

    Numerics: squares of log-ratios are well inside float32.
    Deviations: none known, but see the fidelity. The other f of the table: logistic (`dpo`), hinge
        and square (SLiC, IPO), `gpo_exponential`, `gpo_savage`.
    Limits: 1 at policy = reference, with gradient -2 beta on chosen and +2 beta on rejected. Below
        u = 1 it is IPO's square, times beta^2, with tau = beta / 2; from there on it is 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> gpo_truncated_quadratic(Pairs(chosen, rejected), beta=0.1)
    tensor([0.7225])

    References: Tang et al., Generalized Preference Optimization: A Unified Approach to Offline
        Alignment, arXiv:2402.05749v2. The table was not read again; no code is public.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return (1 - margin).clamp(min=0) ** 2  # section 2 with f of Table 1
