"""Proof that a model is trained and asked in one and the same chat format.

A canary conversation is rendered to token ids as training renders it, and as the chat template
renders it for evaluation. A doubled start token, a missing end of turn, or any difference stops
the run before anything is trained.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

from transformers import PreTrainedTokenizerBase

from plumbline.errors import ConfigError
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.splits import Message


def canary(
    tokenizer: PreTrainedTokenizerBase, prompt: list[Message], completion: str
) -> dict[str, Any]:
    """The token ids of one conversation, as stored beside the model.

    Raises ConfigError for a doubled start token, a missing end of turn, or a completion that
    training and the chat template render differently.
    """
    asked = prompt_ids(tokenizer, prompt)
    trained = asked + completion_ids(tokenizer, completion)
    answer = {"role": "assistant", "content": completion}
    rendered = tokenizer.apply_chat_template(
        [*prompt, answer], tokenize=True, return_dict=False, add_generation_prompt=False
    )
    check_start(tokenizer, asked)
    _check_end(tokenizer, rendered[len(asked) :])
    _check_equal(tokenizer, trained, rendered)
    return {"prompt": asked, "conversation": trained, "text": tokenizer.decode(trained)}


def check_start(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> None:
    """Raises ConfigError where a rendered prompt has its start token twice."""
    start = tokenizer.bos_token_id
    if start is not None and ids[:2] == [start, start]:
        raise ConfigError(
            f"the prompt starts with {tokenizer.bos_token!r} twice: the chat template adds one and "
            "the tokenizer another; remove it from one of them"
        )


def _check_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> None:
    if tokenizer.eos_token_id not in ids:
        raise ConfigError(
            f"the chat template never ends an assistant turn with {tokenizer.eos_token!r}: the "
            "model could not learn to stop; set model.chat_template or the tokenizer's eos_token"
        )


def _check_equal(
    tokenizer: PreTrainedTokenizerBase, trained: list[int], rendered: list[int]
) -> None:
    """Whatever follows the end token (a newline in many templates) is not trained on."""
    if rendered[: len(trained)] == trained:
        return
    words = [tokenizer.convert_ids_to_tokens(ids) for ids in (trained, rendered)]
    diff = "\n".join(unified_diff(*words, "training", "chat template", lineterm=""))
    raise ConfigError(f"training and the chat template render the canary differently:\n{diff}")
