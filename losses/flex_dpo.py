from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, method


@method(
    title="Flex-DPO",
    paper="arXiv:2406.07327v2",
    needs=("reference",),
    oracle="hand calculation",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
    fidelity="unverified",
)
def flex_dpo(
    batch: Pairs, *, beta_chosen: Positive = 0.1, beta_rejected: Positive = 0.08
) -> Tensor:
    """DPO with a beta for each side: the rejected response is pushed down more gently.

    Section 3.3, arXiv:2406.07327v2:

        L = - log sigma(beta+ h_w - beta- h_l),    h_y = log pi_theta(y | x) - log pi_ref(y | x)

        w, l          chosen, rejected
        h_w, h_l      batch.chosen.logratio, batch.rejected.logratio
        beta+, beta-  beta_chosen, beta_rejected

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference.
        beta_chosen: > 0, per nat.
        beta_rejected: > 0, per nat; smaller than beta_chosen spares the rejected response.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: none known, but see the fidelity. The two betas are fixed for a run.
    Limits: log 2 at policy = reference, with gradient -beta+ / 2 on chosen and +beta- / 2 on
        rejected; their ratio stays beta+ / beta- everywhere. Equal betas make it `dpo`.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> chosen = Completions(tensor([-10.0]), tensor([4]), {"reference": tensor([-11.0])})
    >>> rejected = Completions(tensor([-12.0]), tensor([5]), {"reference": tensor([-11.5])})
    >>> flex_dpo(Pairs(chosen, rejected), beta_chosen=0.1, beta_rejected=0.08)
    tensor([0.6256])

    References: Yan et al., 3D-Properties: Identifying Challenges in DPO and Charting a Path
        Forward, arXiv:2406.07327v2. Its abstract and reviews were read (two betas, best near 0.08
        for the rejected beside 0.1), the equation itself was not; no code is public.
    """
    chosen = beta_chosen * batch.chosen.logratio
    rejected = beta_rejected * batch.rejected.logratio
    return -logsigmoid(chosen - rejected)  # section 3.3
