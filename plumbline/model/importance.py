"""How much a model's last prediction in a completion owes to each of its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from plumbline.model.logprobs import TOKENS, Policy, passes, row_length
from plumbline.model.sequences import Group

#: Tokens of one pass with gradient, which keeps what all layers gave.
LEARNT = TOKENS // 8


def token_importance(
    policy: Policy, groups: Sequence[Group], tokens: int = LEARNT
) -> list[list[list[float]]]:
    """For each token of each completion its share of what all of them matter, in the order given.

    A token matters by the L1 norm of the gradient of the largest logit where the completion's last
    token is predicted, with respect to the token's embedding; the last token itself, which that
    prediction has not seen, not at all. Shares are >= 0 and sum to one: a completion of one token
    gives it all. Source: Eqs. (5) and (6), arXiv:2505.19653v3.
    """
    found: dict[int, list[list[float]]] = {}
    for rows in passes([row_length(group) for group in groups], tokens):
        sequences = policy.pack([groups[row] for row in rows]).to(policy.device)
        slopes = policy.embedding_slopes(sequences).split(sequences.lengths.tolist())
        values = iter([_shares(item) for item in slopes])
        for row in rows:
            found[row] = [next(values) for _ in groups[row][1]]
    return [found[row] for row in range(len(groups))]


def _shares(slopes: Tensor) -> list[float]:
    """slopes: [tokens], each where the token is predicted from: where the one before it stands."""
    own = slopes[1:].double()
    return [*(own / own.sum()).tolist(), 0.0] if len(own) else [1.0]
