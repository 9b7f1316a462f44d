"""Training examples as token ids, with everything that can be known before training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from plumbline.artifacts import derive_seed
from plumbline.errors import DataError
from plumbline.model.logprobs import row_length
from plumbline.model.sequences import Group, Ids
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.schema import Align


@dataclass(frozen=True)
class Example:
    """One unit of the global batch: a prompt with K completions.

    Pairs: K = 2, chosen first; behind them the same two without their traces, or completions of the
    reference, where a method needs them. Singles: K = 1. Lists: K = N. references: summed reference
    log-probabilities, nats, one per completion. mismatched: another prompt's completion (singles).
    cut: tokens that truncation removed. embedding [H], propensity, label: of `batches.OF_EXAMPLES`,
    None unless needed. annotations: by need, a number for each completion token.
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
    annotations: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)

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


def labelled(examples: Sequence[Example], scores: Sequence[Sequence[float]]) -> list[Example]:
    """Examples with other labels, from a score of each completion; see `data.labels`.

    Of a pair the completion with the higher score is chosen, of equal ones the first; a single is
    desirable above 1/2. What belongs to a completion goes where it goes.
    """
    return [_labelled(example, own) for example, own in zip(examples, scores, strict=True)]


def _labelled(example: Example, scores: Sequence[float]) -> Example:
    if example.scores is not None:
        return replace(example, scores=tuple(scores))
    if example.desirable is not None:
        return replace(example, desirable=scores[0] > 0.5)
    return example if scores[0] >= scores[1] else turned(example)


def turned(example: Example) -> Example:
    """A pair with its labels exchanged, and all that belongs to its completions with them."""
    return replace(
        example,
        completions=example.completions[::-1],
        references=example.references[::-1],
        annotations={need: values[::-1] for need, values in example.annotations.items()},
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


def with_samples(
    examples: Sequence[Example],
    drawn: Mapping[tuple[str, int], tuple[Ids, Sequence[float]]],
    count: int,
) -> list[Example]:
    """Pairs with `count` completions of the reference behind them.

    drawn: token ids and their reference log-probabilities, by (example id, index). Other numbers of
    tokens that pairs have are zero on samples.
    """
    return [_with_samples(item, [drawn[item.id, row] for row in range(count)]) for item in examples]


def _with_samples(example: Example, drawn: Sequence[tuple[Ids, Sequence[float]]]) -> Example:
    nothing = tuple((0.0,) * len(ids) for ids, _ in drawn)
    known = {"token_reference": tuple(tuple(values) for _, values in drawn)}
    return replace(
        example,
        completions=example.completions + tuple(tuple(ids) for ids, _ in drawn),
        references=example.references + tuple(sum(values) for _, values in drawn),
        annotations={
            need: numbers + known.get(need, nothing)
            for need, numbers in example.annotations.items()
        },
    )


def with_embeddings(
    examples: Sequence[Example], vectors: Mapping[str, np.ndarray]
) -> list[Example]:
    """Examples with their prompts' embeddings, by id."""
    return [replace(item, embedding=torch.from_numpy(vectors[item.id])) for item in examples]


def annotated(
    examples: Sequence[Example], need: str, values: Mapping[tuple[str, int], Sequence[float]]
) -> list[Example]:
    """Examples with a number for each completion token, by (example id, index of completion)."""
    return [_annotated(example, need, values) for example in examples]


def _annotated(
    example: Example, need: str, values: Mapping[tuple[str, int], Sequence[float]]
) -> Example:
    found = tuple(tuple(values[example.id, row]) for row in range(len(example.completions)))
    return replace(example, annotations={**example.annotations, need: found})


def samples(examples: Sequence[Example], seed: int) -> dict[tuple[str, int], list[float]]:
    """One on as many tokens of each completion as the example's shortest has, zero on the others.

    They are drawn without replacement, by the seed, the example's id and the completion's index.
    """
    return {
        (example.id, row): _sample(len(ids), min(map(len, example.completions)), seed, example, row)
        for example in examples
        for row, ids in enumerate(example.completions)
    }


def _sample(length: int, kept: int, seed: int, example: Example, row: int) -> list[float]:
    chosen = random.Random(derive_seed("sample", seed, example.id, row)).sample(range(length), kept)
    marks = [0.0] * length
    for place in chosen:
        marks[place] = 1.0
    return marks
