"""What travels between an evaluator and a judge: OpenAI's chat-completions format."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from plumbline.artifacts import digest
from plumbline.errors import JudgeError

Message = Mapping[str, str]
Request = Mapping[str, Any]
Body = dict[str, Any]
#: What a client may send and no judge needs to know.
UNSENT = ("draw", "stream", "user")


class NoJudgment(JudgeError):
    """One question stays without an answer; the others are not touched.

    status: the HTTP status that tells the client. 400: the judge cannot read this prompt, and
    never will. 402: the budget is spent. 424: not in the ledger. 502: the upstream failed.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """One question to a judge. request: chat-completions arguments, `model` included.

    draw: 0, 1, ... for further answers to the very same request.
    """

    judge: str
    version: str
    request: Request
    draw: int = 0

    @classmethod
    def of(cls, judge: str, version: str, model: str, body: Request) -> Asked:
        """The question in the body of a client's request."""
        kept = {key: value for key, value in body.items() if key not in UNSENT}
        return cls(judge, version, kept | {"model": model}, body.get("draw", 0))

    @cached_property
    def key(self) -> str:
        """The content address of the judgment: who was asked what, for the how-manieth time."""
        return digest(
            {
                "judge": self.judge,
                "version": self.version,
                "request": self.request,
                "draw": self.draw,
            }
        )


@dataclass(frozen=True)
class Answer:
    """What a judge on this machine says.

    text: its message. probabilities: of the first token's candidates, for evaluators that read
    log-probabilities; empty where the judge has none.
    """

    text: str
    probabilities: Mapping[str, float] = field(default_factory=dict)


class Answerer(Protocol):
    """A judge on this machine.

    note: what a reader of its numbers has to know, or "".
    """

    name: str
    version: str
    note: str

    def answer(self, messages: list[Message]) -> Answer:
        """Answer a conversation; JudgeError where it is not a prompt this judge can read."""


def completion(judge: Answerer, request: Request, answer: Answer) -> Body:
    """The body of an answer to `request`. Its created time is 0, so that equal requests have equal
    bodies."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": answer.text},
        "logprobs": _logprobs(answer) if request.get("logprobs") else None,
    }
    return {
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
