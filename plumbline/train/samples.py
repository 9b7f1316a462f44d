"""Completions that the reference gives to the prompts of pairs, for methods that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumbline.artifacts import derive_seed
from plumbline.contracts import DRAWN
from plumbline.model.logprobs import Policy, token_logprobs
from plumbline.model.sampling import generate
from plumbline.model.sequences import Ids
from plumbline.schema import Align
from plumbline.train.examples import Example


def room(examples: Sequence[Example], recipe: Align) -> int:
    """The most tokens of a sample: as many as the longest completion of the data has, and what the
    longest prompt leaves."""
    longest = max(len(ids) for item in examples for ids in item.completions)
    return min(longest, recipe.max_tokens - max(len(item.prompt) for item in examples))


def drawn(
    policy: Policy, most: int, end: int, seed: int, batch: int, examples: Sequence[Example]
) -> list[dict[str, Any]]:
    """`rows.SAMPLE` dicts of some examples: DRAWN samples of each prompt, at temperature 1.

    most: tokens of a sample; one that is cut there has no end token. end: its id. seed: with the
    example's id and the sample's index it fixes the noise. batch: samples drawn at a time.
    """
    said = generate(
        policy.model,
        [item.prompt for item in examples for _ in range(DRAWN)],
        [f"{item.id}/{index}" for item in examples for index in range(DRAWN)],
        temperature=1.0,
        max_new_tokens=most,
        seed=derive_seed("samples", seed),
        end=end,
        batch=batch,
    )
    ids = [[*one.ids, *([end] if one.finished else [])] for one in said]
    several = [ids[start : start + DRAWN] for start in range(0, len(ids), DRAWN)]
    groups = [(item.prompt, own) for item, own in zip(examples, several, strict=True)]
    logprobs = token_logprobs(policy, groups)
    return [
        {"id": item.id, "index": index, "tokens": tokens, "values": values}
        for item, own, numbers in zip(examples, several, logprobs, strict=True)
        for index, (tokens, values) in enumerate(zip(own, numbers, strict=True))
    ]


def by_place(
    rows: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, int], tuple[Ids, Sequence[float]]]:
    """Token ids and their log-probabilities of `rows.SAMPLE` dicts, by (example id, index)."""
    return {(row["id"], row["index"]): (row["tokens"], row["values"]) for row in rows}
