from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="AOT (unpaired)",
    paper="arXiv:2406.05882v1",
    needs=("reference",),
    coupled=True,
    oracle="TRL `aot_unpaired`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def aot_unpaired(batch: Pairs, *, beta: Positive = 0.01) -> Tensor:
    """Optimal transport of rewards: the k-th smallest chosen against the k-th smallest rejected.

    Equation of the unpaired setting, arXiv:2406.05882v1:

        L_k = - log sigma(beta (h_w(k) - h_l(k)))

        h_w(k)  k-th smallest of batch.chosen.logratio over the batch
        h_l(k)  k-th smallest of batch.rejected.logratio over the batch
        beta    beta

    Chosen responses shall dominate rejected ones in distribution (first order), whichever prompt
    they answer. A pair gets the loss of the rank k that its chosen response has.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; 0.01 in TRL's account of the paper.

    Returns:
        [B], nats, lower is better; unreduced, in the order of the batch.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. Equal log-ratios
        are ranked in the order of the batch; their sum of losses does not depend on it.
    Deviations: the two samples are the two sides of pairs, as in TRL, so that they are of one
        size; the paper takes any two samples. Hard sorting. Quantiles are those of the global
        batch, where other trainers sort within what one device holds.
    Limits: log 2 for each pair at policy = reference, with gradient -beta/2 on chosen and +beta/2
        on rejected. Equals `dpo` on a batch of one, and wherever both sides rank the pairs alike.
        Mixing up which rejected response belongs to which chosen one changes nothing.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = [{"reference": tensor([-11.0, -9.0])}, {"reference": tensor([-11.5, -8.0])}]
    >>> chosen = Completions(tensor([-10.0, -9.0]), tensor([4, 3]), needed[0])
    >>> rejected = Completions(tensor([-12.0, -11.0]), tensor([5, 4]), needed[1])
    >>> aot_unpaired(Pairs(chosen, rejected), beta=0.1)
    tensor([0.6210, 0.5544])

    References: Melnyk et al., Distributional Preference Alignment of LLMs via Optimal Transport,
        arXiv:2406.05882v1; TRL's `aot_unpaired`, version 1.16.
    """
    chosen, rejected = batch.chosen.logratio, batch.rejected.logratio
    rank = chosen.argsort(stable=True).argsort()
    opponent = rejected.sort().values[rank]  # h_l(k) of the pair whose chosen one is h_w(k)
    return -logsigmoid(beta * (chosen - opponent))  # equation of the unpaired setting
