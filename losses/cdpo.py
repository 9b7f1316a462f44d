from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="cDPO",
    paper="https://ericmitchell.ai/cdpo.pdf",
    needs=("reference",),
    oracle="TRL `sigmoid` of CPOTrainer with label smoothing, on log-ratios; mpmath",
    axes=("pair-wise", "offline", "reference", "label noise"),
)
def cdpo(batch: Pairs, *, beta: Positive = 0.1, epsilon: Fraction = 0.1) -> Tensor:
    """Conservative DPO: the label is right with probability 1 - epsilon, and so is the policy.

    Eq. (3), https://ericmitchell.ai/cdpo.pdf:

        L = - (1 - epsilon) log sigma(u) - epsilon log sigma(-u),    u = beta h_w - beta h_l
        h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l       chosen, rejected
        h_w, h_l   batch.chosen.logratio, batch.rejected.logratio
        beta       beta; epsilon  epsilon

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, per nat; the strength of the anchor to the reference.
        epsilon: the share of pairs whose label is wrong; below 1/2, or the labels mean nothing.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known. HALOs takes epsilon = 0.2; the author suggests to start at 0.1.
    Limits: log 2 at policy = reference, with gradient -(1/2 - epsilon) beta on chosen and the
        opposite on rejected. The optimum is at sigma(u) = 1 - epsilon. epsilon = 0 is `dpo`. The
        same as DPO's loss plus epsilon u.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> cdpo(Pairs(chosen, rejected), beta=0.1, epsilon=0.2)
    tensor([0.6510])

    References: Mitchell, A note on DPO with noisy preferences and relationship to IPO, 2023,
        https://ericmitchell.ai/cdpo.pdf, its equation read in the author's code:
        eric-mitchell/direct-preference-optimization at f8b8c0f, `preference_loss`;
        ContextualAI/HALOs at 4831988, `CDPOTrainer`.
    """
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    kept = -logsigmoid(margin)  # Eq. (3), first term
    flipped = -logsigmoid(-margin)  # Eq. (3), second term
    return (1 - epsilon) * kept + epsilon * flipped
