from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="AOT",
    paper="arXiv:2406.05882v1",
    needs=("reference",),
    coupled=True,
    oracle="TRL `aot`; mpmath",
    axes=("pair-wise", "offline", "reference", "general"),
)
def aot(batch: Pairs, *, beta: Positive = 0.01) -> Tensor:
    """Optimal transport of margins: the policy's k-th smallest against the reference's k-th.

    Equation of the paired setting, arXiv:2406.05882v1:

        L_k = - log sigma(beta (m_(k) - n_(k)))

        m_(k)  k-th smallest of batch.chosen.policy - batch.rejected.policy over the batch
        n_(k)  k-th smallest of the same difference under the reference
        beta   beta

    The policy's margins shall dominate the reference's in distribution (first order), not pair
    by pair. A pair gets the loss of the rank k that its own margin has.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; 0.01 in TRL's account of the paper.

    Returns:
        [B], nats, lower is better; unreduced, in the order of the batch.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end. Equal margins
        are ranked in the order of the batch; their sum of losses does not depend on it.
    Deviations: hard sorting, as in TRL; the paper also tries soft sorting. Its hinge and its label
        smoothing are not here. Quantiles are those of the global batch, where other trainers sort
        within what one device holds.
    Limits: log 2 for each pair at policy = reference, with gradient -beta/2 on chosen and +beta/2
        on rejected. Equals `dpo` on a batch of one, and wherever policy and reference rank the
        pairs alike.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = [{"reference": tensor([-11.0, -9.0])}, {"reference": tensor([-11.5, -8.0])}]
    >>> chosen = Completions(tensor([-10.0, -8.0]), tensor([4, 3]), needed[0])
    >>> rejected = Completions(tensor([-12.0, -11.0]), tensor([5, 4]), needed[1])
    >>> aot(Pairs(chosen, rejected), beta=0.1)
    tensor([0.5544, 0.5759])

    References: Melnyk et al., Distributional Preference Alignment of LLMs via Optimal Transport,
        arXiv:2406.05882v1; TRL's `aot`, version 1.16.
    """
    margin = batch.chosen.policy - batch.rejected.policy
    reference = batch.chosen.reference - batch.rejected.reference
    rank = margin.argsort(stable=True).argsort()
    quantile = reference.sort().values[rank]  # n_(k) of the pair whose margin is m_(k)
    return -logsigmoid(beta * (margin - quantile))  # equation of the paired setting
