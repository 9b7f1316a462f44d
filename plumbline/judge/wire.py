"""What travels between an evaluator and a judge: OpenAI's chat-completions format."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from plumbline.artifacts import digest

Message = Mapping[str, str]
Request = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a judge says.

    text: its message. probabilities: of the first token's candidates, for evaluators that read
    log-probabilities; empty where the judge has none.
    """

    text: str
    probabilities: Mapping[str, float] = field(default_factory=dict)


class Answerer(Protocol):
    """Something that answers a judge's prompts.

    note: what a reader of its numbers has to know, or "".
    """

    name: str
    version: str
    note: str

    def answer(self, messages: list[Message]) -> Answer:
        """Answer a conversation; JudgeError where it is not a prompt this judge can read."""


def judgment_key(judge: str, version: str, request: Request) -> str:
    """The content address of a judgment: who was asked what. 64 hex digits."""
    return digest({"judge": judge, "version": version, "request": request})


def completion(judge: Answerer, request: Request, answer: Answer) -> dict[str, Any]:
    """The body of an answer to `request`. Its id is the judgment's key, its created time is 0, so
    that equal requests have equal bodies."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": answer.text},
        "logprobs": _logprobs(answer) if request.get("logprobs") else None,
    }
    return {
        "id": judgment_key(judge.name, judge.version, request),
        "object": "chat.completion",
        "created": 0,
        "model": judge.name,
        "system_fingerprint": " ".join(filter(None, [judge.name, judge.version, judge.note])),
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def _logprobs(answer: Answer) -> dict[str, Any] | None:
    """The first token's candidates, likeliest first."""
    if not answer.probabilities:
        return None
    ranked = sorted(answer.probabilities.items(), key=lambda item: (-item[1], item[0]))
    candidates = [_candidate(token, probability) for token, probability in ranked]
    return {"content": [{**candidates[0], "top_logprobs": candidates}], "refusal": None}


def _candidate(token: str, probability: float) -> dict[str, Any]:
    # JSON has no -inf: an impossible token has the log of the smallest float instead.
    logprob = math.log(max(probability, sys.float_info.min))
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
