from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Pairs, Positive, Samples, method


@method(
    title="PRO-P (reference samples)",
    paper="arXiv:2505.23316v2",
    needs=("reference", "reference_samples"),
    oracle="mpmath",
    axes=("pair-wise", "offline", "reference", "likelihood displacement"),
)
def pro_p_samples(batch: Pairs, *, beta: Positive = 0.1, samples: Samples = 16) -> Tensor:
    """PRO-P whose regularizer sees samples of the reference in place of the hyper-response.

    Theorem 3.1 and Eq. (9), arXiv:2505.23316v2, with nothing merged into a hyper-response,
    eta = 2/3, alpha = 9/4 and rho = pi_ref, of which there are k samples:

        L = - log sigma(r_w - r_l) + (1/k) sum over i of [K(r_w - r_i) + K(r_l - r_i)]
            + (1/2) (1/k^2) sum over i, j of K(r_i - r_j)
        K(d) = - (1/2) [log sigma(d) + log sigma(-d)]

        r_w, r_l   beta * log-ratio of chosen, of rejected
        r_i, r_j   beta * log-ratio of the i-th, of the j-th of batch.reference_samples
        k          samples
        beta       beta

    Chosen, rejected and all samples together have a mass of 1/3 each in mu, as chosen, rejected and
    the hyper-response have in `pro_p`.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference;
            and k or more completions drawn from the reference [B, K], of which the first k count.
        beta: > 0, per nat.
        samples: k, a whole number between 1 and 16.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: unit scale, as `pro_p`: 4 times the scale of the population loss. In the paper no
        method has samples; it introduces the hyper-response to do without (section 4). The samples
        are fixed with the data, are not drawn anew, and may be equal to chosen or rejected.
    Limits: (7/2) log 2 at policy = reference, with gradient -beta/2 on chosen, +beta/2 on rejected
        and none on samples. `pro_p` and (1/2) log 2 more wherever the samples' log-ratios are 0.
        One sample of log-ratio r_H gives `pro_p_hyper` and (1/2) log 2 more.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference):
    ...     return Completions(tensor(policy), tensor([9]), {"reference": tensor(reference)})
    >>> samples = column([[-8.0, -9.5]], [[-8.5, -9.0]])
    >>> needed = {"reference_samples": samples}
    >>> pro_p_samples(Pairs(column([-10.0], [-11.0]), column([-12.0], [-11.5]), needed), beta=0.1)
    tensor([2.3563])

    References: Guo, Li, Chen, Proximalized Preference Optimization for Diverse Feedback Types,
        arXiv:2505.23316v2. No code by the authors is public.
    """
    chosen = beta * batch.chosen.logratio
    rejected = beta * batch.rejected.logratio
    others = beta * batch.reference_samples.logratio[:, : int(samples)]  # [B, k]
    contrast = -logsigmoid(chosen - rejected)  # Theorem 4.3, the pair (w, l)
    anchor_chosen = _divergence(chosen[:, None] - others).mean(-1)  # Theorem 3.1, (w, i)
    anchor_rejected = _divergence(rejected[:, None] - others).mean(-1)  # Theorem 3.1, (l, i)
    among = _divergence(others[:, :, None] - others[:, None, :]).mean(
        (-2, -1)
    )  # Theorem 3.1, (i, j)
    return contrast + anchor_chosen + anchor_rejected + among / 2


def _divergence(difference: Tensor) -> Tensor:
    """K, higher than the Kullback-Leibler divergence of a fair coin by log 2."""
    return -(logsigmoid(difference) + logsigmoid(-difference)) / 2
