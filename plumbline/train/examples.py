"""Training examples as token ids, with everything that can be known before training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from plumbline.errors import DataError
from plumbline.model.logprobs import row_length
from plumbline.model.sequences import Group
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.schema import Align


@dataclass(frozen=True)
class Example:
    """One unit of the global batch: a prompt with K completions.

    Pairs: K = 2, chosen first; K = 4 with the same two without their traces, where a method needs
    them. Singles: K = 1. Lists: K = N. references: summed reference
    log-probabilities, nats, one per completion. mismatched: another prompt's completion (singles).
    cut: tokens that truncation removed. embedding [H], propensity, label: of `batches.OF_EXAMPLES`,
    None unless needed.
    """

    id: str
    prompt: tuple[int, ...]
    completions: tuple[tuple[int, ...], ...]
    desirable: bool | None = None
    scores: tuple[float, ...] | None = None
    mismatched: tuple[int, ...] | None = None
    references: tuple[float, ...] = ()
    mismatched_reference: float | None = None
    cut: int = 0
    embedding: Tensor | None = field(default=None, compare=False)
    propensity: float | None = None
    label: float | None = None

    @property
    def group(self) -> Group:
        """The prompt with its completions."""
        return self.prompt, self.completions

    @property
    def whole(self) -> Group:
        """The prompt with every completion whose log-probability is needed, `mismatched` last."""
        return self.prompt, self.completions + ((self.mismatched,) if self.mismatched else ())

    @property
    def length(self) -> int:
        """Tokens of the prompt and all its completions."""
        return row_length(self.group)


#: How each feedback's view row names its completions.
COMPLETIONS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "pairs": lambda row: [row["chosen"], row["rejected"]],
    "traceless": lambda row: [row["chosen"], row["rejected"]],
    "singles": lambda row: [row["completion"]],
    "lists": lambda row: row["completions"],
}


def tokenise(
    rows: Iterable[dict[str, Any]],
    feedback: str,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Align,
) -> list[Example]:
    """View rows as examples; prompts and completions are tokenised apart and then joined.

    Truncation keeps the prompt's end and the completion's start.
    """
    return [_example(row, feedback, tokenizer, recipe) for row in rows]


def _example(
    row: dict[str, Any], feedback: str, tokenizer: PreTrainedTokenizerBase, recipe: Align
) -> Example:
    whole = prompt_ids(tokenizer, row["prompt"])
    prompt = whole[-recipe.max_prompt_tokens :]
    room = recipe.max_tokens - len(prompt)
    if room < 1:
        raise DataError(
            f"row {row['id']}: the prompt fills all {recipe.max_tokens} tokens; raise "
            "align.max_tokens or lower align.max_prompt_tokens"
        )
    texts = COMPLETIONS[feedback](row)
    answers = [completion_ids(tokenizer, text) for text in texts]
    mismatched = row.get("mismatched")
    return Example(
        id=row["id"],
        prompt=tuple(prompt),
        completions=tuple(tuple(ids[:room]) for ids in answers),
        desirable=row.get("desirable"),
        scores=tuple(row["scores"]) if feedback == "lists" else None,
        mismatched=None
        if mismatched is None
        else tuple(completion_ids(tokenizer, mismatched)[:room]),
        cut=len(whole) - len(prompt) + sum(max(0, len(ids) - room) for ids in answers),
    )


def with_references(
    examples: Sequence[Example], references: dict[tuple[str, int], float]
) -> list[Example]:
    """Examples with their reference log-probabilities, by (example id, index in `whole`).

    Raises DataError for an example that the
    reference pass has not seen.
    """
    return [_with_reference(example, references) for example in examples]


def _with_reference(example: Example, references: dict[tuple[str, int], float]) -> Example:
    count = len(example.completions)
    try:
        found = tuple(references[example.id, index] for index in range(count))
        other = references[example.id, count] if example.mismatched else None
    except KeyError as error:
        raise DataError(
            f"example {example.id} has no reference log-probability; delete the setting's "
            "reference/ folder and run again"
        ) from error
    return replace(example, references=found, mismatched_reference=other)


def with_traceless(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """Pairs with their completions without traces: the examples of the view `traceless`, in the
    same order."""
    return [
        replace(
            item,
            completions=item.completions + other.completions,
            references=item.references + other.references,
            cut=item.cut + other.cut,
        )
        for item, other in zip(examples, others, strict=True)
    ]


def with_embeddings(
    examples: Sequence[Example], vectors: Mapping[str, np.ndarray]
) -> list[Example]:
    """Examples with their prompts' embeddings, by id."""
    return [replace(item, embedding=torch.from_numpy(vectors[item.id])) for item in examples]
