from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, Real, method


@method(
    title="Poly-DPO",
    paper="arXiv:2604.24953v1",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "label noise"),
)
def poly_dpo(batch: Pairs, *, beta: Positive = 0.1, alpha: Real = 8.0) -> Tensor:
    """DPO with more (or less) weight on the first term of its logarithm's series in 1 - p.

    Eq. (9), arXiv:2604.24953v1:

        L = - log p + alpha (1 - p),    p = sigma(beta h_w - beta h_l)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: > 0 for conflicting pairs (the paper's best on its noisy data is 8), < 0 for easy
            ones; below -1 a right pair is pulled back.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the paper's h_y is Diffusion-DPO's difference of denoising errors; on text it is the
        log-ratio of the completion.
    Limits: log 2 + alpha / 2 at policy = reference, with gradient -/+ (beta/2) (1 + alpha/2) on
        chosen and rejected. Everywhere the gradient is DPO's times 1 + alpha p (Eq. (10)): right
        pairs gain most by it. alpha = 0 is `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> poly_dpo(Pairs(chosen, rejected), beta=0.1, alpha=2.0)
    tensor([1.5461])

    References: Li et al., ViPO: Visual Preference Optimization at Scale, arXiv:2604.24953v1;
        the authors' page, liming-ai/ViPO at f921ad3, which prints the loss.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    preference = -logsigmoid(margin)  # Eq. (9), first term
    return preference + alpha * (-margin).sigmoid()  # Eq. (9), second term
