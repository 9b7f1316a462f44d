from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import NonNegative, Pairs, Positive, method


@method(
    title="RPO",
    paper="arXiv:2405.16436v3",
    needs=("reference",),
    oracle="TRL `sigmoid` and `sft`; mpmath",
    axes=("pair-wise", "offline", "supervised", "distribution shift"),
)
def rpo(batch: Pairs, *, beta: Positive = 0.01, eta: NonNegative = 0.005) -> Tensor:
    """DPO with a supervised term on the chosen response, which is pessimism in disguise.

    Algorithm 2, section 4, arXiv:2405.16436v3, with the chosen response as the baseline's:

        L = - log sigma(beta h_w - beta h_l) - eta beta log pi_theta(y_w | x)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        beta       beta; eta  eta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        eta: >= 0, the weight of the supervised term, in units of beta.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the sum over tokens, weighted by eta * beta, as the paper and the authors' code have
        it. TRL adds 0.005 times a mean over the batch's tokens, without beta: another weight.
    Limits: log 2 - eta beta log pi_ref(y_w | x) at policy = reference, with gradient
        -beta (1/2 + eta) on chosen and +beta/2 on rejected. eta = 0 is `dpo`. Up to a constant it
        is `vpo` with the chosen response for calibration. Other losses called RPO: Iterative
        Reasoning (`iterative_rpo`), Relative (arXiv:2402.10958).

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> rpo(Pairs(chosen, rejected), beta=0.1, eta=0.05)
    tensor([0.6710])

    References: Liu et al., Provably Mitigating Overoptimization in RLHF: Your SFT Loss is
        Implicitly an Adversarial Regularizer, arXiv:2405.16436v3;
        YSLIU627/Regularized-Preference-Optimization at d0389c4, `RPOTrainer.dpo_loss`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    preference = -logsigmoid(margin)  # Algorithm 2, section 4, first term
    imitation = -beta * batch.chosen.policy  # second term
    return preference + eta * imitation
