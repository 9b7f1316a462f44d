from torch import Tensor, softmax
from torch.nn.functional import logsigmoid

from plumbline import Lists, Positive, method


@method(
    title="NCA (N scored)",
    paper="arXiv:2402.05369v3",
    needs=("reference",),
    oracle="hand calculation; `nca` at N = 2",
    axes=("list-wise", "offline", "reference", "likelihood displacement"),
)
def nca_list(batch: Lists, *, beta: Positive = 0.01, temperature: Positive = 1e-4) -> Tensor:
    """NCA on N scored responses: pull up by softmax of the scores, push all down evenly.

    Unnumbered equation for rewards, section 4, arXiv:2402.05369v3:

        L = - sum_i [ q_i log sigma(r_i) + (1/N) log sigma(-r_i) ],    q = softmax(score / t)

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

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: the authors' code adds 0.01 to the score of the first response to break ties; here
        tied responses share their weight. Which temperature other papers used is often not told.
    Limits: 2 log 2 at policy = reference. N = 2 and a temperature close to zero is `nca`. A
        response stops where sigma(r_i) = q_i / (q_i + 1/N).

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> nca_list(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([1.3508])

    References: Chen et al., Noise Contrastive Alignment of Language Models with Explicit Rewards,
        arXiv:2402.05369v3; thu-ml/Noise-Contrastive-Alignment at 3669906, `reward_trainer.py`.
    """
    reward = beta * batch.completions.logratio
    weight = softmax(batch.scores / temperature, dim=-1)
    optimizer = -(weight * logsigmoid(reward)).sum(-1)  # equation of section 4, first term
    regularizer = -logsigmoid(-reward).mean(-1)  # second term
    return optimizer + regularizer
