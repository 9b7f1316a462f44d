from torch import Tensor

from plumbline import Pairs, method


@method(
    title="SFT at a low learning rate",
    paper="arXiv:2507.00018v2",
    oracle="TRL `sft`",
    axes=("point-wise", "offline", "supervised", "general"),
)
def low_lr_sft(batch: Pairs) -> Tensor:
    """The likelihood of the chosen response: what makes the method is a learning rate far below.

    Section 3, arXiv:2507.00018v2, which changes the step of SFT and not its loss:

        L = - log pi_theta(y_w | x) / |y_w|

        w       chosen; |y_w| its tokens

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and token
            counts; the rejected response is not looked at.

    Returns:
        [B], nats per token, lower is better; unreduced.

    Deviations: the learning rate is the experiment's, not this file's: set it well below the one of
        the SFT stage. The mean is over the tokens of each response, where trainers take it over
        those of a batch. The paper's theory has the sum.
    Limits: gradient -1 / |y_w| on chosen everywhere and 0 on rejected: nothing stops it but the
        data, and nothing keeps it near the reference but the step, which is the paper's point.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]))
    >>> rejected = Completions(tensor([-12.0]), tensor([5]))
    >>> low_lr_sft(Pairs(chosen, rejected))
    tensor([2.5000])

    References: Wang et al., Implicit Reward as the Bridge: A Unified View of SFT and DPO
        Connections, arXiv:2507.00018v2, of which the abstract was read; TRL's `sft`.
    """
    return -batch.chosen.mean_policy  # section 3
