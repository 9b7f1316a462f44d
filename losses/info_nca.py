from torch import Tensor, log_softmax, softmax

from plumbline import Lists, Positive, method


@method(
    title="InfoNCA",
    paper="arXiv:2402.05369v3",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def info_nca(batch: Lists, *, beta: Positive = 0.01, temperature: Positive = 1e-4) -> Tensor:
    """DPO on N scored responses: cross-entropy from the softmax of scores to that of rewards.

    Section 3, arXiv:2402.05369v3:

        L = - sum_i q_i log p_i,    q = softmax(score / t),    p = softmax(r)

        r_i   beta * log-ratio of response i
        t     temperature (alpha in the paper)
        beta  beta

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1].
        beta: > 0, per nat; 0.01 in the authors' configuration.
        temperature: > 0, in units of the score; the authors' 1e-4 leaves only the best response.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `log_softmax` neither overflows nor loses its gradient at either end.
    Deviations: the authors' code adds 0.01 to the score of the first response to break ties; here
        tied responses share their weight.
    Limits: log N at policy = reference, with gradient beta (1/N - q_i). N = 2 and a temperature
        close to zero is `dpo`; N responses and such a temperature, `softmax_dpo`. The optimum has
        p = q, at any common level: unlike `nca_list` it cannot see all of them fall.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> info_nca(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([0.6210])

    References: Chen et al., Noise Contrastive Alignment of Language Models with Explicit Rewards,
        arXiv:2402.05369v3; thu-ml/Noise-Contrastive-Alignment at cbb9248, `reward_trainer.py`.
    """
    reward = beta * batch.completions.logratio
    weight = softmax(batch.scores / temperature, dim=-1)
    return -(weight * log_softmax(reward, dim=-1)).sum(-1)  # equation of section 3
