"""Log-probabilities of completions: only their positions pass through the language-model head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from plumbline.errors import ConfigError


@dataclass(frozen=True)
class Sequences:
    """R prompts with one completion each, right-padded.

    ids: [R, L] int64. starts: [R] int64, the prompt's length. lengths: [R] int64, the completion's
    length in tokens, >= 1. A causal model needs no mask: what is on the right is never attended.
    """

    ids: Tensor
    starts: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Sequences:
        """The same rows on another device."""
        return Sequences(*(item.to(device) for item in (self.ids, self.starts, self.lengths)))


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]) -> Sequences:
    """Right-pad prompts with their completions into one block; padding is id 0."""
    starts = torch.tensor([len(prompt) for prompt in prompts])
    lengths = torch.tensor([len(completion) for completion in completions])
    ids = torch.zeros(len(prompts), int((starts + lengths).max()), dtype=torch.long)
    for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        ids[row, : len(prompt) + len(completion)] = torch.tensor([*prompt, *completion])
    return Sequences(ids, starts, lengths)


def token_logprobs(model: PreTrainedModel, sequences: Sequences) -> Tensor:
    """Log-probability of each completion token, nats, float32, [R, T], zero on padding.

    T is the longest completion. float64 models give float64.
    """
    hidden = model.base_model(input_ids=sequences.ids, use_cache=False).last_hidden_state
    width = int(sequences.lengths.max())
    offsets = torch.arange(width, device=sequences.ids.device)
    mask = offsets < sequences.lengths[:, None]  # [R, T]
    rows, columns = mask.nonzero(as_tuple=True)
    positions = sequences.starts[rows] + columns
    logits = model.get_output_embeddings()(hidden[rows, positions - 1])
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = sequences.ids[rows, positions]
    chosen = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
    return torch.zeros(mask.shape, dtype=chosen.dtype, device=chosen.device).index_put(
        (rows, columns), chosen
    )


@torch.no_grad()
def check_head(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Raises ConfigError where a model does more to its logits than its head (caps, scales).

    `token_logprobs` would silently be wrong for it. ids: any conversation.
    """
    given = torch.tensor([list(ids)], device=model.device)
    hidden = model.base_model(input_ids=given, use_cache=False).last_hidden_state
    if not torch.allclose(model(input_ids=given).logits, model.get_output_embeddings()(hidden)):
        raise ConfigError(
            f"{type(model).__name__} changes its logits after the language-model head (a cap or a "
            "scale), which log-probabilities here do not know; choose another model"
        )


@torch.no_grad()
def sequence_logprobs(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    batch: int = 256,
) -> list[float]:
    """Summed log-probability of each completion, nats, in the order given; no gradient.

    Rows are sorted by length into batches of `batch`, so that little is spent on padding.
    """
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]) + len(completions[row]))
    sums = [0.0] * len(prompts)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        block = pack([prompts[row] for row in rows], [completions[row] for row in rows])
        values = token_logprobs(model, block.to(model.device)).sum(1)
        for row, value in zip(rows, values.tolist(), strict=True):
            sums[row] = value
    return sums
