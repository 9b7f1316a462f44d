"""Stage generate: a model's answers to a benchmark's prompts, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plumbline.errors import ConfigError
from plumbline.model.sampling import generate
from plumbline.model.tokenizer import prompt_ids

#: Prompt rows answered in one batch.
BATCH = 256


def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[dict[str, Any]],
    seed: int,
) -> list[dict[str, Any]]:
    """RESPONSE rows for PROMPT rows, in their order.

    Each follow-up is asked after the model's own answer to the turn before. A prompt that leaves
    no room in the model's positions is cut at its start. Empty answers are kept. Raises ConfigError
    where the answer alone would fill all positions.
    """
    training = model.training
    model.eval()
    found = {
        row["id"]: row
        for rows in _alike(prompts)
        for row in _converse(model, tokenizer, rows, seed)
    }
    model.train(training)
    return [found[row["id"]] for row in prompts]


def _alike(prompts: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Prompts grouped by how they are decoded and how many turns they take."""

    def kind(row: dict[str, Any]) -> tuple[float, int, int]:
        return row["temperature"], row["max_new_tokens"], len(row["follow_ups"])

    for _, rows in groupby(sorted(prompts, key=kind), kind):
        yield list(rows)


def _converse(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    seed: int,
) -> list[dict[str, Any]]:
    """All turns of prompts that are decoded alike."""
    answered = [row | {"answers": [], "finished": [], "tokens": []} for row in rows]
    conversations = [list(row["prompt"]) for row in rows]
    positions, new = model.config.max_position_embeddings, rows[0]["max_new_tokens"]
    room = positions - new
    if room < 1:
        raise ConfigError(
            f"max_new_tokens: {new} leaves no room for a prompt in the model's "
            f"{positions} positions"
        )
    for turn in range(1 + len(rows[0]["follow_ups"])):
        said = generate(
            model,
            [prompt_ids(tokenizer, messages)[-room:] for messages in conversations],
            [f"{row['id']}/{turn}" for row in rows],
            temperature=rows[0]["temperature"],
            max_new_tokens=rows[0]["max_new_tokens"],
            seed=seed,
            end=tokenizer.eos_token_id,
            batch=BATCH,
        )
        for row, messages, answer in zip(answered, conversations, said, strict=True):
            text = tokenizer.decode(answer.ids, skip_special_tokens=True)
            row["answers"].append(text)
            row["finished"].append(answer.finished)
            row["tokens"].append(len(answer.ids))
            messages.append({"role": "assistant", "content": text})
            messages += [
                {"role": "user", "content": ask} for ask in row["follow_ups"][turn : turn + 1]
            ]
    return answered
