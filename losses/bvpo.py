from torch import Tensor
from torch.nn.functional import logsigmoid

from plumbline import Fraction, Pairs, Positive, method


@method(
    title="BVPO",
    paper="arXiv:2510.05095v1",
    needs=("reference", "traceless"),
    oracle="TRL `sigmoid`, executed twice",
    axes=("pair-wise", "offline", "reference", "general"),
)
def bvpo(batch: Pairs, *, alpha: Fraction = 0.5, beta: Positive = 0.1) -> Tensor:
    """DPO on answers with their reasoning traces, mixed with DPO on answers without them.

    Eq. (2), arXiv:2510.05095v1, on losses in place of their gradients:

        L   = alpha L_t + (1 - alpha) L_e
        L_t = - log sigma(beta h(r_w, y_w) - beta h(r_l, y_l))
        L_e = - log sigma(beta h(empty, y_w) - beta h(empty, y_l))

        h(r, y)                    log pi_theta(r, y | x) - log pi_ref(r, y | x)
        w, l                       chosen, rejected
        h(r_w, y_w), h(r_l, y_l)   batch.chosen.logratio, batch.rejected.logratio
        h(empty, y_w)              batch.traceless.chosen.logratio; so for l
        alpha, beta                alpha, beta

    Where y is given, only L_t changes with the trace that happened to be sampled, so that the
    gradient's variance over traces falls by alpha^2 (Theorem 1); L_e is biased.

    Args:
        batch: pairs with log-probabilities [B], sums over completion tokens in nats, and reference;
            and the same pairs without their traces.
        alpha: in [0, 1], the weight of the traces.
        beta: > 0, per nat; the strength of the anchor to the reference, in both terms.

    Returns:
        [B], nats, lower is better; unreduced.

    Numerics: `logsigmoid` neither overflows nor loses its gradient at either end.
    Deviations: in the paper L_e has pairs of its own, answers that were sampled with thinking
        switched off by an empty trace behind the prompt; here it has the answers of L_t, their
        traces and what ends them cut away. The paper mixes any two losses of a pair; this is the
        DPO of its experiments. alpha is their 0.5 (Appendix C.1), not the optimum of Theorem 2,
        which takes moments of gradients that nobody knows; beta is DPO's, theirs was not seen.
    Limits: DPO at alpha = 1; DPO on answers alone at alpha = 0, and wherever there are no traces.
        log 2 at policy = reference, with gradients -alpha beta / 2 on chosen and
        -(1 - alpha) beta / 2 on chosen without its trace.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> def column(policy, reference):
    ...     return Completions(tensor([policy]), tensor([9]), {"reference": tensor([reference])})
    >>> answers = Pairs(column(-4.0, -6.0), column(-5.0, -8.0))
    >>> chosen, rejected = column(-10.0, -11.0), column(-12.0, -11.5)
    >>> bvpo(Pairs(chosen, rejected, {"traceless": answers}), alpha=0.5, beta=0.1)
    tensor([0.6827])

    References: Zhu et al., From Noisy Traces to Stable Gradients, arXiv:2510.05095v1. Its abstract
        was read; equations, the empty traces and alpha as public reviews quote them (of ICLR 2026,
        submission t5Nd4HiI3E; two of them give alpha). No code of the authors was found.
    """
    traces = _dpo(batch, beta)
    answers = _dpo(batch.traceless, beta)
    return alpha * traces + (1 - alpha) * answers  # Eq. (2)


def _dpo(batch: Pairs, beta: float) -> Tensor:
    return -logsigmoid(beta * (batch.chosen.logratio - batch.rejected.logratio))
