from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="CPO (contrastive)",
    paper="arXiv:2401.08417v4",
    oracle="TRL `sigmoid` of CPOTrainer; mpmath",
    axes=("pair-wise", "offline", "supervised", "general"),
)
def cpo(batch: Pairs, *, beta: Positive = 0.1, alpha: NonNegative = 1.0) -> Tensor:
    """DPO with a uniform reference, which drops out, and the chosen response's likelihood.

    Eqs. (3) and (5), arXiv:2401.08417v4:

        L = - log sigma(beta p_w - beta p_l) - alpha p_w / |y_w|,    p_y = log pi_theta(y | x)

        w, l       chosen, rejected
        p_w, p_l   batch.chosen.policy, batch.rejected.policy
        |y_w|      batch.chosen.tokens
        beta       beta; alpha  alpha (1 in the paper)

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and lengths.
        beta: > 0, per nat.
        alpha: >= 0, the weight of the likelihood per token.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the likelihood is a mean over tokens, as in the authors' code, where Eq. (5) prints
        log pi_theta(y_w | x). Theirs and TRL's averages over all chosen tokens of a batch; here
        over the response's own. Not Constrained Preference Optimization (arXiv:2605.20834), also
        called CPO, which is `constrained_po`.
    Limits: log 2 - alpha p_w / |y_w| where both responses are equally likely, with gradient
        -beta/2 - alpha / |y_w| on chosen and +beta/2 on rejected, whatever the reference. alpha = 0
        is `dpo` where the reference finds both responses equally likely.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> cpo(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([1.8481])

    References: Xu et al., Contrastive Preference Optimization: Pushing the Boundaries of LLM
        Performance in Machine Translation, arXiv:2401.08417v4; fe1ixxu/ALMA at 10360c3,
        `cpo_trainer.py`; TRL 1.16's `CPOTrainer`.
    """
    margin = beta * (batch.chosen.policy - batch.rejected.policy)
    preference = -logsigmoid(margin)  # Eq. (3)
    likelihood = -batch.chosen.mean_policy  # Eq. (5), second term, per token
    return preference + alpha * likelihood
