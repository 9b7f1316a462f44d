from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="NCA",
    paper="arXiv:2402.05369v3",
    needs=("reference",),
    oracle="TRL `nca_pair`; mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def nca(batch: Pairs, *, beta: Positive = 0.01) -> Tensor:
    """Noise contrastive alignment of a pair: each response against the reference, not each other.

    Unnumbered equation for pairs, section 4, arXiv:2402.05369v3:

        L = - log sigma(r_w) - (1/2) sum over y in {w, l} of log sigma(-r_y)

        r_y   beta * log-ratio of chosen (w) or rejected (l)
        beta  beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; 0.01 in the authors' configuration.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known.
    Limits: 2 log 2 at policy = reference, with gradient -beta/4 on chosen and +beta/4 on rejected.
        Equals `nca_list` on two responses at a temperature close to zero. The chosen response
        stops rising where sigma(r_w) = 2/3; the rejected one falls without end.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> nca(Pairs(chosen, rejected), beta=0.1)
    tensor([1.3508])

    References: Chen et al., Noise Contrastive Alignment of Language Models with Explicit Rewards,
        arXiv:2402.05369v3; thu-ml/Noise-Contrastive-Alignment; TRL's `nca_pair`.
    """
    chosen = beta * batch.chosen.logratio
    rejected = beta * batch.rejected.logratio
    optimizer = -logsigmoid(chosen)  # equation of section 4, first term
    regularizer = -(logsigmoid(-chosen) + logsigmoid(-rejected)) / 2  # second term
    return optimizer + regularizer
