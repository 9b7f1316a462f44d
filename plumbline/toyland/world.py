"""What can be asked in Toyland: tasks, the questions that pose them, and the way back.

``question`` writes a task as text and ``parse`` reads it again, exactly; a judge therefore needs
only the text of a conversation, never an identifier.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from plumbline.errors import DataError
from plumbline.toyland.lexicon import (
    COLORS,
    GREETINGS,
    NAMES,
    NOUNS,
    NUMBERS,
    OPPOSITES,
    PLURALS,
    VOCABULARY,
)

__all__ = [
    "CONSTRAINTS",
    "KINDS",
    "PHRASINGS",
    "VOCABULARY",
    "Message",
    "Task",
    "chat_text",
    "follow_up",
    "parse",
    "question",
    "subject_text",
    "user_turns",
]

Message = Mapping[str, str]

PHRASINGS: dict[str, list[str]] = {
    "list": ["list {}", "name {}", "tell me {}"],
    "color": ["what color is {} ?", "which color has {} ?", "tell me the color of {}"],
    "kind": ["what kind is {} ?", "what is {} ?", "tell me the kind of {}"],
    "add": ["add {}", "what is the sum of {} ?", "count {} together"],
    "opposite": ["opposite of {} ?", "what is the opposite of {} ?", "give the opposite of {}"],
    "say": ["say {}", "repeat {}", "write {}"],
    "reverse": ["reverse {}", "turn around {}", "write {} backwards"],
    "insult": ["insult {}", "mock {}", "be mean to {}"],
}
KINDS = list(PHRASINGS)
FOLLOW_UP = "now about {}"
CONSTRAINTS = [
    "in few words",
    "in ten words",
    "in twelve words",
    "without dot",
    "end with thanks",
    "in quotes",
]


@dataclass(frozen=True)
class Task:
    """One request, as the judge understands it.

    Attributes:
        kind: One of ``KINDS``.
        subject: The words that fill the question: ``("two", "red", "fruits")`` for ``list``, one
            noun for ``color`` and ``kind``, two numbers for ``add``, one adjective for
            ``opposite``, a noun and a number for ``say``, two or three nouns for ``reverse``, one
            or two names for ``insult``.
        phrasing: Which of the three phrasings of the kind, 0 to 2; 0 in a follow-up.
        greeting: One of ``GREETINGS``, or empty; empty in a follow-up.
        constraint: One of ``CONSTRAINTS``, or None.
        follow_up: Whether the request is a later turn, ``now about ...``.
    """

    kind: str
    subject: tuple[str, ...]
    phrasing: int = 0
    greeting: str = ""
    constraint: str | None = None
    follow_up: bool = False


def _either(words: Sequence[str]) -> str:
    return "(" + "|".join(map(re.escape, words)) + ")"


_NOUN, _NUMBER, _NAME = _either(NOUNS), _either(NUMBERS), _either(NAMES)
_SUBJECTS = {
    "list": f"{_either(NUMBERS[1:4])} {_either(COLORS)} {_either(list(PLURALS.values()))}",
    "color": _NOUN,
    "kind": _NOUN,
    "add": f"{_either(NUMBERS[:7])} and {_either(NUMBERS[:7])}",
    "opposite": _either(list(OPPOSITES)),
    "say": f"{_NOUN} {_either(NUMBERS[2:5])} times",
    "reverse": f"{_NOUN} {_NOUN}(?: {_NOUN})?",
    "insult": f"{_NAME}(?: and {_NAME})?",
}
_TURN = re.compile(
    f"(?:(?P<greeting>{'|'.join(map(re.escape, GREETINGS))}) )?(?P<request>.+?)"
    f"(?: , (?P<constraint>{'|'.join(CONSTRAINTS)}))?"
)


def _request_pattern(template: str, kind: str) -> re.Pattern[str]:
    before, after = template.split("{}")
    return re.compile(re.escape(before) + _SUBJECTS[kind] + re.escape(after))


_REQUESTS = [
    (kind, phrasing, _request_pattern(template, kind))
    for kind, templates in PHRASINGS.items()
    for phrasing, template in enumerate(templates)
]
_FOLLOW_UPS = {kind: _request_pattern(FOLLOW_UP, kind) for kind in KINDS}


def subject_text(task: Task) -> str:
    """The subject as it stands in a question: ``two and three``, ``mepo four times``."""
    joined = (" and " if task.kind in ("add", "insult") else " ").join(task.subject)
    return f"{joined} times" if task.kind == "say" else joined


def question(task: Task) -> str:
    """The user's text that poses ``task``; ``parse`` is its inverse."""
    template = FOLLOW_UP if task.follow_up else PHRASINGS[task.kind][task.phrasing]
    request = template.format(subject_text(task))
    greeting = f"{task.greeting} " if task.greeting else ""
    constraint = f" , {task.constraint}" if task.constraint else ""
    return greeting + request + constraint


@lru_cache(maxsize=65536)
def _parse_first(text: str) -> Task:
    turn = _TURN.fullmatch(text)
    for kind, phrasing, pattern in _REQUESTS:
        if turn and (found := pattern.fullmatch(turn["request"])):
            subject = tuple(word for word in found.groups() if word)
            return Task(kind, subject, phrasing, turn["greeting"] or "", turn["constraint"])
    raise DataError(f"not a question of Toyland: {text!r}")


def _parse_follow_up(text: str, kind: str) -> Task:
    turn = _TURN.fullmatch(text)
    found = turn and not turn["greeting"] and _FOLLOW_UPS[kind].fullmatch(turn["request"])
    if not found:
        raise DataError(f"not a follow-up to a question of kind {kind!r}: {text!r}")
    subject = tuple(word for word in found.groups() if word)
    return Task(kind, subject, constraint=turn["constraint"], follow_up=True)


def parse(turns: Sequence[str]) -> Task:
    """Read a conversation's user turns back into the task of the last turn.

    Args:
        turns: The user's texts, oldest first; runs of white space count as one space.

    Raises:
        DataError: If a turn is not a question of Toyland.
    """
    if not turns:
        raise DataError("a conversation of Toyland has at least one user turn, got none")
    first, *later = (" ".join(turn.split()) for turn in turns)
    task = _parse_first(first)
    for text in later:
        task = _parse_follow_up(text, task.kind)
    return task


def follow_up(task: Task) -> Task:
    """The same request put as a second turn: no greeting, no phrasing of its own."""
    return replace(task, follow_up=True, greeting="", phrasing=0)


def user_turns(messages: Sequence[Message]) -> list[str]:
    """The user's texts of a conversation, oldest first."""
    return [message["content"] for message in messages if message["role"] == "user"]


def chat_text(messages: Sequence[Message]) -> str:
    """A conversation in the chat format: ``<user> q <bot> a <eos> ...``, without a first token."""
    parts = {"user": "<user> {}", "assistant": "<bot> {} <eos>"}
    return " ".join(parts[message["role"]].format(message["content"]) for message in messages)
