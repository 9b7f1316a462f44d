"""Which items of a benchmark stand in the training prompts already.

Both are their user turns; answers, system turns and completions are not looked at. A text is its
words: runs of letters, digits and underscores, in lower case, so that neither punctuation nor
spacing counts. A text without words is in nothing.

exact: the words of the item's turns, or of its first so many, are those of all turns of one
training prompt. ngram: 13 consecutive words of one of the item's turns are consecutive in a turn of
a training prompt (13 as in appendix C of arXiv 2005.14165). An item whose turns are all shorter can
be found by the first rule only; so can a text in a script that does not part its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np

from plumbline.artifacts import digest, is_current, read_json, read_rows, write_rows
from plumbline.layout import SettingFolder
from plumbline.rows import OVERLAP

Row: TypeAlias = dict[str, Any]

NGRAM = 13
WORD = re.compile(r"\w+")

#: The user turns of a conversation, in order.
Turns: TypeAlias = Sequence[str]


def pair(
    folders: SettingFolder, benchmark: str, split: str, items: Mapping[str, Turns]
) -> list[Row]:
    """`rows.OVERLAP` of a setting's training prompts and a benchmark's items, computed once."""
    path = folders.contamination(split, benchmark)
    made_from = {
        "train": read_json(folders.data_record)["splits"]["train"]["digest"],
        "items": digest(items),
        "ngram": NGRAM,
    }
    if not is_current(path, made_from):
        prompts = read_rows(folders.data("train"), ["prompt"])
        known = index(user_turns(row["prompt"]) for row in prompts)
        write_rows(path, find(known, items), OVERLAP, made_from)
    return read_rows(path)


def user_turns(prompt: Iterable[Mapping[str, str]], follow_ups: Iterable[str] = ()) -> list[str]:
    """What the user says in a conversation and after it."""
    return [turn["content"] for turn in prompt if turn["role"] == "user"] + list(follow_ups)


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


@dataclass(frozen=True)
class Index:
    """Training prompts, ready to be looked up. conversations: the words of each; grams: hashes of
    all runs of 13 words of a turn, sorted."""

    conversations: frozenset[str]
    grams: np.ndarray


def index(prompts: Iterable[Turns]) -> Index:
    """The index of training prompts, the same in whatever order they come."""
    prompts = list(prompts)
    whole = (openings(turns)[-1:] for turns in prompts)
    grams, _ = hashed_grams([turn for turns in prompts for turn in turns])
    return Index(frozenset(text for texts in whole for text in texts), np.sort(grams))


def openings(turns: Turns) -> list[str]:
    """The words of the first turn, of the first two, and so on to all; none for no words."""
    lines = accumulate((" ".join(words(turn)) for turn in turns), "{}\n{}".format)
    return [text for text in lines if text.strip()]


def find(known: Index, items: Mapping[str, Turns]) -> Iterator[Row]:
    """A row of `rows.OVERLAP` for each item, in their order."""
    names = [name for name, turns in items.items() for _ in turns]
    grams, owners = hashed_grams([turn for turns in items.values() for turn in turns])
    # Of no length where it is absent. numpy's isin takes ten times as long.
    left, right = (np.searchsorted(known.grams, grams, side) for side in ("left", "right"))
    copied = {names[owner] for owner in owners[left < right]}
    for name, turns in items.items():
        exact = not known.conversations.isdisjoint(openings(turns))
        yield {"id": name, "exact": exact, "ngram": name in copied}


class _Codes(dict):
    """Words as 64-bit numbers, each computed once, the same in every process."""

    def __missing__(self, word: str) -> int:
        self[word] = code = _code(word)
        return code


def _code(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest())


#: What the code of each place of an n-gram is multiplied by: odd numbers, so that order counts.
WEIGHTS = [np.uint64(_code(f"place {place}") | 1) for place in range(NGRAM)]


def hashed_grams(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of every run of 13 words within a text, and the position of its text.

    Among 10 million hashes and a million looked up, two runs of different words would share one
    with a probability of about one in a million.
    """
    codes = _Codes()
    parts = [np.fromiter(map(codes.__getitem__, words(text)), np.uint64) for text in texts]
    flat = np.concatenate([np.empty(0, np.uint64), *parts])
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    count = max(len(flat) - NGRAM + 1, 0)
    grams = np.zeros(count, np.uint64)
    for place, weight in enumerate(WEIGHTS):
        grams += flat[place : place + count] * weight
    inside = owners[:count] == owners[len(flat) - count :]
    return grams[inside], owners[:count][inside]
