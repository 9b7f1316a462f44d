"""Proof that a model is trained and asked in one and the same chat format.

A canary conversation is rendered to token ids as training renders it, and as the chat template
renders it for evaluation, turn by turn. A doubled start token, a missing end of turn, or any
difference stops the run, with both renderings side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from plumbline.artifacts import read_json, write_json
from plumbline.errors import ConfigError, IntegrityError
from plumbline.model.token_diff import token_diff
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.splits import Message


def canary(
    tokenizer: PreTrainedTokenizerBase,
    prompt: list[Message],
    completion: str,
    follow_ups: Sequence[str] = (),
) -> dict[str, Any]:
    """The token ids of one conversation, as stored beside the model: of `prompt`, of the whole
    conversation, whose text stands beside them, and the messages themselves.

    follow_ups: user turns asked after the answer, each answered by `completion` again. Raises
    ConfigError for a doubled start token, a missing end of turn, a completion that training and the
    chat template render differently, or a follow-up before which an answer looks otherwise than it
    did when it was given.
    """
    messages, before = list(prompt), []
    for ask in (None, *follow_ups):
        messages += [{"role": "user", "content": ask}] if ask is not None else []
        asked = prompt_ids(tokenizer, messages)
        check_start(tokenizer, asked)
        _check_history(tokenizer, before, asked)
        messages.append({"role": "assistant", "content": completion})
        before = asked + completion_ids(tokenizer, completion)
        _check_turn(tokenizer, messages, asked, before)
    return {
        "messages": messages,
        "prompt": prompt_ids(tokenizer, prompt),
        "conversation": before,
        "text": tokenizer.decode(before),
    }


def keep(path: Path, proof: dict[str, Any], model: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write a canary's proof, unless the one that lies there says something else.

    model: the model's digest, which covers its tokenizer and chat template. Raises IntegrityError
    where the very same model rendered the very same messages to other token ids before: what was
    answered then was asked in another format. A proof of another model or of other messages is
    replaced.
    """
    stored = read_json(path) if path.is_file() else {}
    same = [stored.get("model"), stored.get("messages")] == [model, proof["messages"]]
    if same and stored["conversation"] != proof["conversation"]:
        ids = stored["conversation"], proof["conversation"]
        raise IntegrityError(
            f"{path}: the same model renders the same conversation otherwise than before, though "
            "its files are unchanged: a library has changed. Install the versions of "
            f"constraints.txt, or delete {path.parent} and run again to ask everything anew; "
            + token_diff(tokenizer, ("stored", "now"), *ids)
        )
    write_json(path, proof | {"model": model})


def check_start(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> None:
    """Raises ConfigError where a rendered prompt has its start token twice."""
    start = tokenizer.bos_token_id
    if start is not None and ids[:2] == [start, start]:
        raise ConfigError(
            f"the prompt starts with {tokenizer.bos_token!r} twice: the chat template adds one and "
            "the tokenizer another; remove it from one of them; "
            + token_diff(tokenizer, ("with one start", "as rendered"), ids[1:], ids)
        )


def _check_turn(
    tokenizer: PreTrainedTokenizerBase,
    messages: list[Message],
    asked: list[int],
    trained: list[int],
) -> None:
    """The template, given an answer, must say what training says, up to the end of turn; whatever
    follows that (a newline in many templates) is not trained on."""
    rendered = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=False, add_generation_prompt=False
    )
    titles = "training", "chat template"
    if tokenizer.eos_token_id not in rendered[len(asked) :]:
        raise ConfigError(
            f"the chat template never ends an assistant turn with {tokenizer.eos_token!r}: the "
            "model could not learn to stop; set model.chat_template or the tokenizer's eos_token; "
            + token_diff(tokenizer, titles, trained, rendered)
        )
    if rendered[: len(trained)] != trained:
        raise ConfigError(
            "training and the chat template render the canary differently; "
            + token_diff(tokenizer, titles, trained, _until(rendered, tokenizer.eos_token_id))
        )


def _check_history(tokenizer: PreTrainedTokenizerBase, before: list[int], asked: list[int]) -> None:
    """A follow-up is asked after the conversation as it was, not after one rendered anew."""
    if asked[: len(before)] != before:
        titles = "as answered", "before the next turn"
        raise ConfigError(
            "the chat template renders an answer differently once another turn follows; "
            + token_diff(tokenizer, titles, before, asked[: len(before)])
        )


def _until(ids: list[int], end: int) -> list[int]:
    """Ids up to the last end token."""
    return ids[: len(ids) - ids[::-1].index(end)]
