"""Attention of long rows that share a prompt, one completion at a time.

A mask over a whole row is simple and right, but pays for every two tokens that may not see each
other: with four completions as long as their prompt, for three quarters of all. In blocks each
completion attends to the prompt and to itself, and nothing else is computed. Short rows, of which
there are many in a pass, are better off with the mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from plumbline.model.sequences import Span

#: The name of this attention in transformers; without spans it is "sdpa".
NAME = "shared_prompt"
#: Tokens of a row from which blocks are worth their calls.
LONG = 512


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    spans: tuple[Span, ...] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: query, key and value [B, heads, L, D] to [B, L, heads, D].

    spans: where prompt and completions of each row lie, in place of a mask.
    """
    if spans is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    rows = []
    for row, span in enumerate(spans):
        own = [item[row : row + 1] for item in (query, key, value)]
        parts = [
            sdpa_attention_forward(module, *block, **options)[0] for block in _blocks(*own, span)
        ]
        rows.append(_padded(torch.cat(parts, 1), query.shape[2]))
    return torch.cat(rows), None


def _blocks(query: Tensor, key: Tensor, value: Tensor, span: Span) -> Iterator[tuple]:
    """(query, key, value, mask) of the prompt and of each completion of one row."""
    prompt, lengths = span
    yield (*(item[:, :, :prompt] for item in (query, key, value)), None)
    start = prompt
    for length in lengths:
        mask = torch.ones(length, prompt + length, dtype=torch.bool, device=query.device)
        seen = [
            torch.cat([item[:, :, :prompt], item[:, :, start : start + length]], 2)
            for item in (key, value)
        ]
        yield query[:, :, start : start + length], *seen, mask.tril(prompt)[None, None]
        start += length


def _padded(values: Tensor, length: int) -> Tensor:
    """[1, length, heads, D], with zeros for what nothing attends to."""
    rest = values.new_zeros(1, length - values.shape[1], *values.shape[2:])
    return torch.cat([values, rest], 1)


def passes_spans_on(model: PreTrainedModel) -> bool:
    """Whether a model hands what it does not know to its attention, by its signature."""
    parameters = inspect.signature(model.base_model.forward).parameters.values()
    return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
