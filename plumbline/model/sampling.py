"""Generating answers in batches, with noise that belongs to the prompt and not to the batch.

Sampling at temperature t is arg max(logits / t + Gumbel noise). Each prompt has a noise generator
of its own, seeded by (decoding seed, prompt id), which draws once for each position, so batch
composition cannot change an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from plumbline.artifacts import derive_seed

#: Seconds after which work that goes on shows a progress bar, on a terminal only.
PATIENCE = 10


@dataclass(frozen=True)
class Answer:
    """One generated turn: its token ids without the end token, and whether that token came."""

    ids: list[int]
    finished: bool


@dataclass(frozen=True)
class Turn:
    """One answered turn as text. tokens: of the answer, None where nobody counted them. cut: tokens
    that its prompt lost at the start. logratio: to a reference, nats, None where nobody asks."""

    text: str
    finished: bool
    tokens: int | None
    cut: int = 0
    logratio: float | None = None


class GumbelNoise(LogitsProcessor):
    """Adds each row's own Gumbel noise to logits divided by the temperature."""

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        width = scores.shape[-1]
        draws = [torch.empty(width).exponential_(generator=item) for item in self.generators]
        return scores / self.temperature - torch.stack(draws).log().to(scores.device)


@torch.no_grad()
def generate(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    keys: Sequence[str],
    *,
    temperature: float,
    max_new_tokens: int,
    seed: int,
    end: int,
    batch: int = 256,
) -> list[Answer]:
    """Answers to tokenised prompts, in their order; temperature 0 is greedy.

    keys: one id per prompt and turn, which with `seed` fixes its noise. end: the end token's id.
    """
    order = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
    answers: dict[int, Answer] = {}
    bar = progress(len(order))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        seeds = [derive_seed("decoding", seed, keys[row]) for row in rows]
        noise = [GumbelNoise(temperature, seeds)] if temperature else []
        ids, attention = _left_pad([prompts[row] for row in rows])
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=attention.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=end,
            eos_token_id=end,
            logits_processor=LogitsProcessorList(noise),
        )
        for row, new in zip(rows, output[:, ids.shape[1] :].tolist(), strict=True):
            answers[row] = _cut(new, end)
        bar.update(len(rows))
    bar.close()
    return [answers[row] for row in range(len(prompts))]


def progress(total: int) -> tqdm:
    """A bar of answers on a terminal, once it is worth one; silent in logs."""
    return tqdm(total=total, unit="answer", delay=PATIENCE, disable=None, leave=False)


def _left_pad(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    attention = torch.arange(width) >= (width - lengths)[:, None]
    return ids, attention.long()


def _cut(ids: list[int], end: int) -> Answer:
    if end in ids:
        return Answer(ids[: ids.index(end)], True)
    return Answer(ids, False)
