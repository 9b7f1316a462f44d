"""Which split a prompt belongs to: a pure function of its text, so that no split can leak."""

import hashlib
from collections.abc import Iterable, Mapping

Message = Mapping[str, str]

# Upper bounds (exclusive) of sha256(prompt) mod 1000. Fixed: moving one would reshuffle all data.
BOUNDS = {"pretrain": 400, "sft": 500, "train": 800, "validation": 850, "test": 1000}
SPLITS = tuple(BOUNDS)


def normalise(prompt: Iterable[Message]) -> str:
    """One line of text for a conversation: roles and contents, lower case, single spaces."""
    words = (f"{message['role']} : {message['content']}" for message in prompt)
    return " ".join(" ".join(words).lower().split())


def split_of(prompt: Iterable[Message]) -> str:
    """The split of a conversation that ends with a user turn; one of `SPLITS`."""
    digest = hashlib.sha256(normalise(prompt).encode()).hexdigest()
    bucket = int(digest, 16) % 1000
    return next(split for split, bound in BOUNDS.items() if bucket < bound)
