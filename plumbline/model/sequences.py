"""Rows of token ids for one forward pass: a prompt with its completions, prompts computed once.

A row holds a prompt and K completions one after another. Positions restart after the prompt for
each completion, and no completion attends to another, so that each one's log-probabilities are
those it has alone after the prompt. With K = 1 this is an ordinary causal row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

Ids = Sequence[int]
#: A prompt with its completions.
Group = tuple[Ids, Sequence[Ids]]
#: Tokens of a row's prompt and of each of its completions.
Span = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Sequences:
    """B rows of at most L tokens that hold R completions of at most T tokens, N in all.

    ids: [B, L] int64, padded on the right. positions: [B, L] int64, and segments: [B, L] int64, 0
    for the prompt, k for its k-th completion, -1 for padding; both None where every row holds one
    completion. lengths: [R] int64, >= 1. sources: [2, N] int64, the row and column from which each
    completion token is predicted; targets: [N] int64, these tokens, completion by completion.
    spans: for each row the tokens of its prompt and of each completion.
    """

    ids: Tensor
    positions: Tensor | None
    segments: Tensor | None
    lengths: Tensor
    sources: Tensor
    targets: Tensor
    spans: tuple[Span, ...]

    def to(self, device: torch.device) -> Sequences:
        """The same rows on another device."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        moved = {
            name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)

    def attention(self) -> Tensor | None:
        """[B, 1, L, L] bool, true where a token attends to another; None is plain causal.

        Plain causal rows need no mask for padding either: it is on the right, where nothing looks.
        """
        if self.segments is None:
            return None
        asking, asked = self.segments[:, :, None], self.segments[:, None, :]
        width = self.ids.shape[1]
        earlier = torch.ones(width, width, dtype=torch.bool, device=self.ids.device).tril()
        return (earlier & ((asked == 0) | (asked == asking)))[:, None]

    def by_completion(self, values: Tensor) -> Tensor:
        """Values of the N completion tokens as [R, T], zero on padding."""
        width = torch.arange(int(self.lengths.max()), device=values.device)
        mask = width < self.lengths[:, None]
        return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(
            mask, values
        )


def pack(groups: Sequence[Group]) -> Sequences:
    """One row for each prompt with its completions."""
    rows = [[*prompt, *(token for ids in answers for token in ids)] for prompt, answers in groups]
    shared = any(len(answers) > 1 for _, answers in groups)
    answers = [ids for _, several in groups for ids in several]
    return Sequences(
        ids=_block(rows, 0),
        positions=_block([_positions(*group) for group in groups], 0) if shared else None,
        segments=_block([_segments(*group) for group in groups], -1) if shared else None,
        lengths=torch.tensor([len(ids) for ids in answers]),
        sources=torch.tensor(
            [place for row, group in enumerate(groups) for place in _sources(row, *group)]
        ).T,
        targets=torch.tensor([token for ids in answers for token in ids]),
        spans=tuple((len(prompt), tuple(map(len, several))) for prompt, several in groups),
    )


def together(groups: Sequence[Group]) -> list[Group]:
    """All completions of a prompt in one row."""
    return list(groups)


def apart(groups: Sequence[Group]) -> list[Group]:
    """The same completions in the same order, each after a prompt of its own."""
    return [(prompt, (ids,)) for prompt, several in groups for ids in several]


def _block(rows: Sequence[Ids], padding: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[padding] * (width - len(row))] for row in rows])


def _positions(prompt: Ids, answers: Sequence[Ids]) -> list[int]:
    start = len(prompt)
    rest = (place for ids in answers for place in range(start, start + len(ids)))
    return [*range(start), *rest]


def _segments(prompt: Ids, answers: Sequence[Ids]) -> list[int]:
    rest = (number for number, ids in enumerate(answers, 1) for _ in ids)
    return [*[0] * len(prompt), *rest]


def _sources(row: int, prompt: Ids, answers: Sequence[Ids]) -> Iterator[tuple[int, int]]:
    """A completion's first token is predicted by the prompt's last, others by the one before."""
    start = len(prompt)
    for ids in answers:
        yield row, len(prompt) - 1
        yield from ((row, column) for column in range(start, start + len(ids) - 1))
        start += len(ids)
