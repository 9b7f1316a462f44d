from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="SimPO",
    paper="arXiv:2405.14734v3",
    oracle="TRL `simpo`; mpmath",
    axes=("pair-wise", "offline", "reference-free", "length bias"),
)
def simpo(batch: Pairs, *, beta: Positive = 2.0, gamma: NonNegative = 1.0) -> Tensor:
    """Logistic loss on log-probabilities per token, with a margin and without a reference.

    Eq. (6), arXiv:2405.14734v3:

        L = - log sigma(beta p_w - beta p_l - gamma),    p_y = log pi_theta(y | x) / |y|

        w, l       chosen, rejected
        p_w, p_l   batch.chosen.mean_policy, batch.rejected.mean_policy
        beta       beta; gamma  gamma

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and lengths.
        beta: > 0, per nat a token; about ten times what DPO has, since lengths are divided out.
        gamma: >= 0, the margin asked for, in units of beta p.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. The defaults are those of the authors' Llama-3-Base. Their scripts give
        gamma / beta in place of gamma, and so does HALOs; TRL's `simpo_gamma` is gamma.
    Limits: log(1 + e^gamma) where both responses are as likely per token, with gradient
        -beta sigma(gamma) / |y_w| on chosen and +beta sigma(gamma) / |y_l| on rejected, whatever
        the reference.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> simpo(Pairs(chosen, rejected), beta=2.0, gamma=1.0)
    tensor([1.4633])

    References: Meng, Xia, Chen, SimPO: Simple Preference Optimization with a Reference-Free Reward,
        arXiv:2405.14734v3; princeton-nlp/SimPO at 1b3e8f3, `simpo_loss` and `training_configs`;
        TRL 1.16's `simpo`; ContextualAI/HALOs at 4831988, `SimPOTrainer`.
    """
    margin = beta * (batch.chosen.mean_policy - batch.rejected.mean_policy) - gamma
    return -logsigmoid(margin)  # Eq. (6)
