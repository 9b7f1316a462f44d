from torch import Tensor

from plumbline import Lists, Positive, method


@method(
    title="GPO (general preference)",
    paper="arXiv:2410.02197v3",
    needs=("reference",),
    oracle="hand calculation",
    axes=("list-wise", "offline", "reference", "general"),
)
def general_po(batch: Lists, *, beta: Positive = 1e-3, scale: Positive = 1.0) -> Tensor:
    """Regression: each log-ratio onto how far its response is preferred to the list's average one.

    Eq. (5.3) with log Z = 0 and Eq. (5.2), arXiv:2410.02197v3:

        L = (1/N) sum_i (h_i - s_i / beta)^2,    s_i = (1/N) sum_k s(y_i > y_k)

        h_i            log-ratio of response i
        s(y_i > y_k)   preference score, the log-odds that y_i wins: here c (score_i - score_k)
        c              scale; beta  beta

    Args:
        batch: lists with log-probabilities [B, N], sums over completion tokens in nats, reference,
            and scores in [0, 1].
        beta: > 0, preference score per nat: the smaller, the further the target. 0.001 in the
            authors' scripts.
        scale: > 0, the log-odds that a response of score 1 wins against one of score 0.

    Returns:
        [B], squared nats, lower is better; unreduced.

    Deviations: one iteration, on the responses of the data instead of the policy's own, with the
        frozen reference as the policy they came from. The paper's preference model, whose scores
        need not be transitive, is replaced by its Bradley-Terry case, in which the score of a pair
        is a multiple of a difference; no such multiple is in the paper.
    Limits: the optimum has h_i = c (score_i - mean score) / beta: with the default a target of
        hundreds of nats. Equal scores make it a pull to the reference. beta and scale act through
        scale / beta only.

    >>> from torch import tensor
    >>> from plumbline import Completions
    >>> needed = {"reference": tensor([[-11.0, -11.5]])}
    >>> completions = Completions(tensor([[-10.0, -12.0]]), tensor([[4, 5]]), needed)
    >>> general_po(Lists(completions, tensor([[1.0, 0.0]])), beta=0.1)
    tensor([18.1250])

    References: Zhang et al., Beyond Bradley-Terry Models: A General Preference Model for Language
        Model Alignment, arXiv:2410.02197v3; general-preference/general-preference-model at a376d95,
        which has the scripts and not the loss.
    """
    preference = scale * (batch.scores - batch.scores.mean(-1, keepdim=True))  # Eq. (5.2)
    return ((batch.completions.logratio - preference / beta) ** 2).mean(-1)  # Eq. (5.3)
