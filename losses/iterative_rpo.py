from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="Iterative RPO",
    paper="arXiv:2404.19733v3",
    needs=("reference",),
    oracle="TRL `sigmoid` and `sft`",
    axes=("pair-wise", "iterative", "supervised", "likelihood displacement"),
)
def iterative_rpo(batch: Pairs, *, beta: Positive = 0.1, alpha: NonNegative = 1.0) -> Tensor:
    """DPO with the chosen response's likelihood per token, so that the winner cannot fall unseen.

    Eq. (1), arXiv:2404.19733v3:

        L = - log sigma(beta h_w - beta h_l) - alpha log pi_theta(y_w | x) / |y_w|

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        |y_w|      batch.chosen.tokens: reasoning and answer together
        beta       beta; alpha  alpha

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        alpha: >= 0, the weight of the likelihood per token.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the loss of one iteration. The paper samples new pairs and takes a new reference in
        each of four; here both stay as the data and the setting have them. Each pair's mean is over
        its own tokens, as in the paper; TRL's `sft` averages over all tokens of the batch.
    Limits: log 2 plus alpha times the reference's loss per token at policy = reference, with
        gradient -beta/2 - alpha/|y_w| on chosen and +beta/2 on rejected. alpha = 0 is `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> iterative_rpo(Pairs(chosen, rejected), beta=0.1, alpha=0.5)
    tensor([1.8710])

    References: Pang et al., Iterative Reasoning Preference Optimization, arXiv:2404.19733v3.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    preference = -logsigmoid(margin)  # Eq. (1), first term
    likelihood = -batch.chosen.mean_policy  # Eq. (1), second term
    return preference + alpha * likelihood
