from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="CPO (contrastive)",
    paper="arXiv:2401.08417v4",
    oracle="TRL CPO's `sigmoid`; mpmath",
    axes=("pair-wise", "offline", "reference-free", "general"),
)
def cpo(batch: Pairs, *, beta: Positive = 0.1, likelihood_weight: NonNegative = 1.0) -> Tensor:
    """DPO with a uniform reference, kept near the data by the chosen response's likelihood.

    Eq. (5), arXiv:2401.08417v4:

        L = - log sigma(beta log pi_theta(y_w | x) - beta log pi_theta(y_l | x))
            - alpha log pi_theta(y_w | x) / |y_w|

        w, l   chosen, rejected: batch.chosen.policy, batch.rejected.policy
        |y_w|  batch.chosen.tokens
        beta   beta; alpha  likelihood_weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and tokens.
        beta: > 0, per nat.
        likelihood_weight: >= 0, of the second term; 1 in the paper (TRL's `cpo_alpha`).

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the second term is a mean per token, as in the authors' code and in TRL, where the
        paper prints the whole log-probability; and a mean over each pair's own tokens, where both
        average over all tokens of the batch. Constrained PO is also called CPO.
    Limits: there is no reference. At equal likelihoods the first term is log 2, with gradient
        -beta/2 on chosen and +beta/2 on rejected.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> cpo(Pairs(chosen, rejected), beta=0.1, likelihood_weight=0.5)
    tensor([1.8481])

    References: Xu et al., Contrastive Preference Optimization: Pushing the Boundaries of LLM
        Performance in Machine Translation, arXiv:2401.08417v4; fe1ixxu/ALMA; TRL's `CPOTrainer`.
    """
    margin = beta * (batch.chosen.policy - batch.rejected.policy)
    preference = -logsigmoid(margin)  # Eq. (5), first term
    likelihood = -batch.chosen.mean_policy  # Eq. (5), second term
    return preference + likelihood_weight * likelihood
