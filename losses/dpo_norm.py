from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="DPO (length-normalised)",
    paper="arXiv:2411.15124v5",
    needs=("reference",),
    oracle="TRL `sigmoid_norm`; mpmath",
    axes=("pair-wise", "offline", "reference", "length bias"),
)
def dpo_norm(batch: Pairs, *, beta: Positive = 5.0) -> Tensor:
    """DPO on log-ratios per token, as in Tulu 3: a long response has no longer lever.

    Equation of length-normalised DPO (section 4.3 in TRL's count), arXiv:2411.15124v5:

        L = - log sigma(beta h_w / |y_w| - beta h_l / |y_l|)

        w, l       chosen, rejected
        h_y        log pi_theta(y | x) - log pi_ref(y | x), batch.chosen.logratio, ...
        |y|        batch.chosen.tokens, ...
        beta       beta

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta: > 0, tokens per nat; about |y| times what DPO takes: 5 in Tulu 3.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known.
    Limits: log 2 at policy = reference, with gradient -beta / (2 |y_w|) on chosen and
        +beta / (2 |y_l|) on rejected. Responses of one length n make it `dpo` at beta / n.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> dpo_norm(Pairs(chosen, rejected), beta=5.0)
    tensor([0.1602])

    References: Lambert et al., Tulu 3: Pushing Frontiers in Open Language Model Post-Training,
        arXiv:2411.15124v5; allenai/open-instruct at e6c3044, `dpo_norm`; TRL's `sigmoid_norm`.
    """
    chosen = batch.chosen.logratio / batch.chosen.tokens
    rejected = batch.rejected.logratio / batch.rejected.tokens
    return -logsigmoid(beta * (chosen - rejected))  # equation of length-normalised DPO
