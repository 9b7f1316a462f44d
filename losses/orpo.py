from torch import Tensor, expm1, log
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, method

#: Log-probability per token above which the odds are not told apart any more, in nats.
CERTAIN = -1e-6


@method(
    title="ORPO",
    paper="arXiv:2403.07691v2",
    oracle="TRL `odds_ratio_loss`; mpmath",
    axes=("pair-wise", "offline", "reference-free", "general"),
)
def orpo(batch: Pairs, *, weight: NonNegative = 0.1) -> Tensor:
    """Fine-tuning on the chosen response, and the odds of both compared in the same step.

    Eqs. (6) and (7), arXiv:2403.07691v2:

        L = - p_w - lambda log sigma( log odds(y_w) - log odds(y_l) )
        log odds(y) = p_y - log(1 - exp(p_y))

        w, l      chosen, rejected
        p_y       log pi_theta(y | x) / |y|, batch.chosen.mean_policy, batch.rejected.mean_policy
        lambda    weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and tokens.
        weight: >= 0, of the odds' part; 0.1 in the paper's experiments.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: p_y is at most -1e-6 within the odds, which are infinite at 0.
    Deviations: none known. The likelihoods must be means per token, in both parts; a pair's first
        part is over its own tokens, where TRL averages over all tokens of the batch.
    Limits: there is no reference. At equal likelihoods it is -p_w + lambda log 2. lambda = 0 is
        fine-tuning on the chosen responses.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> orpo(Pairs(chosen, rejected), weight=0.1)
    tensor([2.5749])

    References: Hong, Lee, Thorne, ORPO: Monolithic Preference Optimization without Reference Model,
        arXiv:2403.07691v2; xfactlab/orpo; TRL's `ORPOTrainer`.
    """
    chosen = batch.chosen.mean_policy.clamp(max=CERTAIN)
    rejected = batch.rejected.mean_policy.clamp(max=CERTAIN)
    odds = (chosen - log(-expm1(chosen))) - (rejected - log(-expm1(rejected)))  # Eq. (7)
    likelihood = -batch.chosen.mean_policy  # Eq. (6), first term
    return likelihood - weight * logsigmoid(odds)  # Eq. (6)
