from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="POWER",
    paper="arXiv:2412.09544v1",
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference-free", "distribution shift"),
    fidelity="unverified",
)
def power(batch: Pairs, *, beta: Positive = 2.0, eta: NonNegative = 5e-4) -> Tensor:
    """Reward with weighted entropy in place of a reference, and a pull on the chosen response.

    Section 4, arXiv:2412.09544v1, with the weights 1 / |y|:

        L = - log sigma( beta [ w_w log pi_w - w_l log pi_l + w_w - w_l ] ) - eta beta w_w log pi_w

        pi_y   pi_theta(y | x) of chosen (w) or rejected (l)
        w_y    1 / |y|, hence w_y log pi_y is the log-probability per token
        beta   beta; eta  eta

    The policy that maximizes E[r] + beta H, H = - sum_y w_y pi_y log pi_y, has
    r_y = beta w_y (log pi_y + 1) + a constant of the prompt: the first term is its logistic loss.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and token
            counts.
        beta: > 0, the strength of the entropy.
        eta: >= 0, the robustness against rewards of responses the data hold too few of.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: unverified. The first term is derived, the second and where eta stands in it are
        from memory, and so are the defaults. Its labels do not move: that is POWER-DL.
    Limits: at eta = 0 SimPO's loss with a margin that follows the lengths: the shorter response is
        ahead by beta (1/|short| - 1/|long|). With equal lengths and log-probabilities log 2 plus
        the pull.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> power(Pairs(chosen, rejected), beta=2.0, eta=0.1)
    tensor([1.2444])

    References: Rashidinejad, Tian, Sail into the Headwind: Alignment via Robust Rewards and Dynamic
        Labels against Reward Hacking, arXiv:2412.09544v1, of which the abstract was read. No code
        by the authors is public.
    """
    chosen = (batch.chosen.policy + 1) / batch.chosen.tokens
    rejected = (batch.rejected.policy + 1) / batch.rejected.tokens
    contrast = -logsigmoid(beta * (chosen - rejected))  # section 4, first term
    robust = -beta * batch.chosen.mean_policy  # section 4, second term
    return contrast + eta * robust
