"""Stage generate: a model's answers to a benchmark's prompts, turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plumbline.errors import ConfigError
from plumbline.model.logprobs import Policy, sequence_logprobs
from plumbline.model.sampling import Answer, Turn, generate
from plumbline.model.sequences import Group
from plumbline.model.tokenizer import prompt_ids
from plumbline.splits import Message

Row = dict[str, Any]
#: What answers conversations, given them, their keys, the temperature and the most new tokens: a
#: turn for each, or None where it refuses. A key, with the decoding seed, fixes an answer's noise.
Speaker = Callable[[list[list[Message]], list[str], float, int], list[Turn | None]]

#: Prompts answered in one batch, where nobody says otherwise.
BATCH = 256


def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Row],
    seed: int,
    batch: int = BATCH,
    reference: Policy | None = None,
) -> list[Row]:
    """RESPONSE rows for PROMPT rows, in their order, by a model in this process.

    reference: what each answer's log-ratio is taken to, if anything.

    A prompt that leaves no room in the model's positions is cut at its start, and the cut is
    counted. Raises ConfigError where the answer alone would fill all positions.
    """
    training = model.training
    model.eval()
    rows = converse(partial(_speak, model, tokenizer, seed, batch, reference), prompts)
    model.train(training)
    return rows


def _speak(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    batch: int,
    reference: Policy | None,
    conversations: list[list[Message]],
    keys: list[str],
    temperature: float,
    max_new_tokens: int,
) -> list[Turn | None]:
    positions = model.config.max_position_embeddings
    room = positions - max_new_tokens
    if room < 1:
        raise ConfigError(
            f"max_new_tokens: {max_new_tokens} leaves no room for a prompt in the model's "
            f"{positions} positions"
        )
    whole = [prompt_ids(tokenizer, messages) for messages in conversations]
    asked, end = [ids[-room:] for ids in whole], tokenizer.eos_token_id
    said = generate(
        model,
        asked,
        keys,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        seed=seed,
        end=end,
        batch=batch,
    )
    texts = [tokenizer.decode(one.ids, skip_special_tokens=True) for one in said]
    cuts = [max(0, len(ids) - room) for ids in whole]
    groups = [_group(ids, one, end) for ids, one in zip(asked, said, strict=True)]
    ratios = _logratios(Policy(model), reference, groups) if reference else [None] * len(said)
    return [
        Turn(text, one.finished, len(one.ids), cut, ratio)
        for text, one, cut, ratio in zip(texts, said, cuts, ratios, strict=True)
    ]


def _group(prompt: list[int], said: Answer, end: int) -> Group:
    """A prompt with all that was drawn after it."""
    return prompt, ([*said.ids, *([end] if said.finished else [])],)


def _logratios(policy: Policy, reference: Policy, groups: Sequence[Group]) -> list[float]:
    """Each answer's log-probability under the policy minus that under the reference, nats."""
    both = (sequence_logprobs(model, groups) for model in (policy, reference))
    return [own - other for [own], [other] in zip(*both, strict=True)]


def converse(speak: Speaker, prompts: Sequence[Row]) -> list[Row]:
    """RESPONSE rows for PROMPT rows, in their order.

    Each follow-up is asked after the model's own answer to the turn before. Empty answers are kept;
    a conversation in which a turn is refused ends there.
    """
    found = {row["id"]: row for rows in _alike(prompts) for row in _converse(speak, rows)}
    return [found[row["id"]] for row in prompts]


def _alike(prompts: Sequence[Row]) -> Iterator[list[Row]]:
    """Prompts grouped by how they are decoded and how many turns they take."""

    def kind(row: Row) -> tuple[float, int, int]:
        return row["temperature"], row["max_new_tokens"], len(row["follow_ups"])

    for _, rows in groupby(sorted(prompts, key=kind), kind):
        yield list(rows)


def _converse(speak: Speaker, rows: list[Row]) -> list[Row]:
    """All turns of prompts that are decoded alike."""
    empty = ("answers", "finished", "tokens", "cut", "logratios")
    answered = [row | {name: [] for name in empty} for row in rows]
    talking = [(row, list(row["prompt"])) for row in answered]
    decoding = rows[0]["temperature"], rows[0]["max_new_tokens"]
    for turn in range(1 + len(rows[0]["follow_ups"])):
        keys = [f"{row['id']}/{turn}" for row, _ in talking]
        turns = speak([messages for _, messages in talking], keys, *decoding)
        said = [(row, messages, one) for (row, messages), one in zip(talking, turns, strict=True)]
        talking = [(row, _after(row, messages, one, turn)) for row, messages, one in said if one]
    return answered


def _after(row: Row, messages: list[Message], said: Turn, turn: int) -> list[Message]:
    """Write an answered turn down; the conversation with it and the next question, if any."""
    row["answers"].append(said.text)
    row["finished"].append(said.finished)
    row["tokens"].append(said.tokens)
    row["cut"].append(said.cut)
    row["logratios"].append(said.logratio)
    asked = [{"role": "user", "content": ask} for ask in row["follow_ups"][turn : turn + 1]]
    return [*messages, {"role": "assistant", "content": said.text}, *asked]


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """What a reader of answers has to know of RESPONSE rows, in turns: how many were `answered`;
    how many of these are `empty`, `unfinished` (ended by the limit) or `cut` (to a prompt without
    its start); and how many are `missing`, refused or after one that was."""
    asked = sum(1 + len(row["follow_ups"]) for row in rows)
    answers = [text for row in rows for text in row["answers"]]
    return {
        "answered": len(answers),
        "empty": sum(not text.strip() for text in answers),
        "unfinished": sum(not finished for row in rows for finished in row["finished"]),
        "cut": sum(cut > 0 for row in rows for cut in row["cut"]),
        "missing": asked - len(answers),
    }
