from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="SimPO",
    paper="arXiv:2405.14734v3",
    oracle="TRL CPO's `simpo`; mpmath",
    axes=("pair-wise", "offline", "reference-free", "length bias"),
)
def simpo(batch: Pairs, *, beta: Positive = 2.0, gamma: NonNegative = 1.0) -> Tensor:
    """Likelihoods per token in place of log-ratios, and a margin that has to be passed.

    Eq. (6), arXiv:2405.14734v3:

        L = - log sigma(beta p_w - beta p_l - gamma)

        w, l      chosen, rejected
        p_y       log pi_theta(y | x) / |y|, batch.chosen.mean_policy, batch.rejected.mean_policy
        beta      beta; gamma  gamma

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and tokens.
        beta: > 0, per nat and token.
        gamma: >= 0, the target margin; the paper tunes gamma / beta, 0.5 here.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. TRL's `simpo_gamma` is gamma.
    Limits: there is no reference. At equal likelihoods per token it is -log sigma(-gamma), with
        gradient -beta sigma(gamma) / |y_w| on chosen and +beta sigma(gamma) / |y_l| on rejected.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> simpo(Pairs(chosen, rejected), beta=2.0, gamma=1.0)
    tensor([1.4633])

    References: Meng, Xia, Chen, SimPO: Simple Preference Optimization with a Reference-Free Reward,
        arXiv:2405.14734v3; princeton-nlp/SimPO, `simpo_loss`; TRL's `CPOTrainer`.
    """
    margin = beta * (batch.chosen.mean_policy - batch.rejected.mean_policy)
    return -logsigmoid(margin - gamma)  # Eq. (6)
