from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, method


@method(
    title="ORPO",
    paper="arXiv:2403.07691v2",
    oracle="TRL ORPOTrainer's `odds_ratio_loss`; mpmath",
    axes=("pair-wise", "offline", "supervised", "general"),
)
def orpo(batch: Pairs, *, weight: NonNegative = 0.1) -> Tensor:
    """Supervised training on the chosen response, and its odds against the rejected one's.

    Eqs. (3) to (7), arXiv:2403.07691v2:

        L = - log P_w - lambda log sigma(log odds_w - log odds_l)
        log P_y = log pi_theta(y | x) / |y|,    odds_y = P_y / (1 - P_y)

        w, l        chosen, rejected
        log P_y     batch.chosen.mean_policy, batch.rejected.mean_policy
        lambda      weight

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and lengths.
        weight: >= 0, the weight of the odds ratio.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: the odds of a response that is certain are infinite: in the odds, log P is clamped at
        -1e-6, above which a response gets no gradient from them. 1 - P is `expm1`.
    Deviations: the first term is the mean over the chosen response's own tokens, as the paper has
        it; the authors' code and TRL average it over all chosen tokens of a batch, and TRL takes
        the prompt's tokens in. The authors' code calls lambda alpha, TRL beta.
    Limits: lambda log 2 - log P_w where both responses are as likely per token, whatever the
        reference. lambda = 0 is supervised training.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> orpo(Pairs(chosen, rejected), weight=0.1)
    tensor([2.5749])

    References: Hong, Lee, Thorne, ORPO: Monolithic Preference Optimization without Reference Model,
        arXiv:2403.07691v2; xfactlab/orpo at 208d2d6, `compute_loss`; TRL 1.16's `ORPOTrainer`.
    """
    chosen = batch.chosen.mean_policy.clamp(max=-1e-6)
    rejected = batch.rejected.mean_policy.clamp(max=-1e-6)
    chosen_log_odds = chosen - (-chosen.expm1()).log()  # Eq. (4)
    rejected_log_odds = rejected - (-rejected.expm1()).log()  # Eq. (4)
    odds_ratio = -logsigmoid(chosen_log_odds - rejected_log_odds)  # Eq. (7)
    return -batch.chosen.mean_policy + weight * odds_ratio  # Eq. (6)
