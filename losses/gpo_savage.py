from torch import Tensor

from plumbline import Pairs, Positive, method


@method(
    title="GPO (Savage)",
    paper="arXiv:2402.05749v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "label noise"),
    fidelity="unverified",
)
def gpo_savage(batch: Pairs, *, beta: Positive = 0.1) -> Tensor:
    """Generalized preference optimization with Savage's bounded loss: lost pairs are given up.

    Equation of section 2 with f of Table 1, arXiv:2402.05749v2:

        L = f(beta h_w - beta h_l),    f(u) = 1 / (1 + e^u)^2

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the paper sweeps it, the default is DPO's.

    Returns:
        [B], between 0 and 1, lower is better; unreduced.

    Numerics: sigmoid saturates; at extreme log-ratios the gradient is zero, never infinite.
    Deviations: none known, but see the fidelity. Of the table's f this one is not convex. Elsewhere
        Savage's loss has 2 u for u, or a factor 4. The other f: logistic (`dpo`), hinge and square
        (SLiC, IPO), `gpo_exponential`, `gpo_truncated_quadratic`.
    Limits: 1/4 at policy = reference, with gradient -beta/4 on chosen and +beta/4 on rejected. It
        is steepest at a pair wrong by u = -log 2, and flat at both ends. The square root of the
        loss and that of the swapped pair add to 1.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> gpo_savage(Pairs(chosen, rejected), beta=0.1)
    tensor([0.2140])

    References: Tang et al., Generalized Preference Optimization: A Unified Approach to Offline
        Alignment, arXiv:2402.05749v2. The table was not read again; no code is public.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return (-margin).sigmoid() ** 2  # section 2 with f of Table 1
