"""How active a model is where it predicts each token of a completion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from plumbline.model.logprobs import TOKENS, Policy, passes, row_length
from plumbline.model.sequences import Group


@torch.no_grad()
def token_activity(
    policy: Policy, groups: Sequence[Group], tokens: int = TOKENS
) -> list[list[list[float]]]:
    """For each token of each completion a number in [0, 1], in the order given.

    In each layer a token's activity is the mean of the hidden state from which it is predicted,
    rescaled over the completion from 0 at its least to 1 at its most active token (1 for all where
    they are equal); then the mean over the layers; see `Policy.hidden_means`.
    """
    found: dict[int, list[list[float]]] = {}
    for rows in passes([row_length(group) for group in groups], tokens):
        sequences = policy.pack([groups[row] for row in rows]).to(policy.device)
        means = policy.hidden_means(sequences).split(sequences.lengths.tolist(), dim=1)
        values = iter([_rescaled(item).mean(0).tolist() for item in means])
        for row in rows:
            found[row] = [next(values) for _ in groups[row][1]]
    return [found[row] for row in range(len(groups))]


def _rescaled(means: Tensor) -> Tensor:
    """[layers, tokens] of one completion, each layer from 0 to 1."""
    low, high = means.aminmax(dim=1, keepdim=True)
    return torch.where(high > low, (means - low) / (high - low), 1.0)
