from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="DiscoPOP",
    paper="arXiv:2406.08414v3",
    needs=("reference",),
    exempt=(
        (
            "sign_at_reference",
            "it is not convex: at tau = 0.05 it rises with the margin at the reference, as the "
            "paper says",
        ),
    ),
    oracle="TRL `discopop`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def discopop(batch: Pairs, *, beta: Positive = 0.05, tau: Positive = 0.05) -> Tensor:
    """Log-ratio modulated: logistic on wrong pairs, exponential on right ones; found by search.

    LRML of Table 1 and Appendix E (Eq. (5) in TRL's count), arXiv:2406.08414v3:

        L = (1 - g) log(1 + e^(-u)) + g e^(-u),    g = sigma(u / tau),    u = beta h_w - beta h_l

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta; tau  tau

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; 0.05 is the one value it was searched with.
        tau: > 0, in units of u: how sharply the two losses take turns.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: g e^(-u) is one exponential, of log g - u, so that no infinity meets a zero at a
        wrong pair; it is clamped at e^30, which only tau > 1 reaches.
    Deviations: none known.
    Limits: (log 2 + 1) / 2 at policy = reference, with gradient
        -/+ beta [3/4 - (1 - log 2) / (4 tau)] on chosen and rejected: at the default the chosen
        response starts by falling. The loss has a dip at u = -0.12 and a hump at u = 0.07.
        tau without bound is the mean of `dpo` and `gpo_exponential`; tau towards 0 switches
        between them at u = 0.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> discopop(Pairs(chosen, rejected), beta=0.1, tau=0.05)
    tensor([0.8493])

    References: Lu et al., Discovering Preference Optimization Algorithms with and for Large
        Language Models, arXiv:2406.08414v3; SakanaAI/DiscoPOP at 3307865,
        `log_ratio_modulated_loss`; TRL's `discopop`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    logistic = -(-margin / tau).sigmoid() * logsigmoid(margin)  # Appendix E, LRML, first term
    exponential = (logsigmoid(margin / tau) - margin).clamp(max=30).exp()  # second term
    return logistic + exponential
