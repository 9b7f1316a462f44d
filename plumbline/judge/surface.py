"""A deterministic judge of any text by its surface. It lets the pipeline run without a language
model as judge; its numbers say nothing about quality, and every answer it gives says so.

    score = (2 * coverage + length + variety [+ 4 * overlap]) / (4 [+ 4])

all in [0, 1]: *coverage* of the question's words by the answer's, *length* as
1 - exp(-words / 100), *variety* as the share of distinct neighbouring word pairs, and, where there
is a reference answer, *overlap* with its words (F1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from plumbline.judge.reading import Choice, Comparison, Grading, read
from plumbline.judge.wire import Answer, Message
from plumbline.schema import LOCAL_JUDGES

STAMP = "plumbing, not a measurement"
STEEPNESS = 8.0
LENGTH_SCALE = 100
_WORD = re.compile(r"\w+")


class SurfaceJudge:
    """Answers from the prompt's text by `surface_score`."""

    name = "surface-judge"
    version = LOCAL_JUDGES[name]
    note = STAMP

    def answer(self, messages: Sequence[Message]) -> Answer:
        """See `wire.Answerer.answer`."""
        asked = read(messages)
        return ANSWERS[type(asked)](asked)


def _compare(asked: Comparison) -> Answer:
    first = surface_score(asked.instruction, asked.first)
    second = surface_score(asked.instruction, asked.second)
    probabilities = {"m": _win(first - second), "M": _win(second - first)}
    return Answer("m" if first >= second else "M", probabilities)


def _grade(asked: Grading) -> Answer:
    reference = asked.references[-1] if asked.references else None
    score = surface_score(asked.turns[-1], asked.answers[-1], reference)
    return Answer(f"Surface score {score:.3f} ({STAMP}). Rating: [[{round(1 + 9 * score)}]]")


def _choose(asked: Choice) -> Answer:
    question = asked.turns[-1] if asked.turns else ""
    first, second = surface_score(question, asked.first), surface_score(question, asked.second)
    return Answer(
        f"Comparison: A has surface score {first:.3f} and B has {second:.3f} ({STAMP}).\n"
        f"Better response: {asked.better(first, second)}"
    )


ANSWERS = {Comparison: _compare, Grading: _grade, Choice: _choose}


def _win(difference: float) -> float:
    """Logistic in the difference of scores; exactly complementary for opposite differences."""
    return 0.5 * (1 + math.tanh(0.5 * STEEPNESS * difference))


def surface_score(question: str, answer: str, reference: str | None = None) -> float:
    """How the answer looks, in [0, 1]; 0 for an answer without words."""
    words = _words(answer)
    if not words:
        return 0.0
    asked = set(_words(question))
    coverage = len(asked & set(words)) / max(1, len(asked))
    pairs = list(zip(words, words[1:], strict=False))
    variety = len(set(pairs)) / len(pairs) if pairs else 1.0
    score = 2 * coverage + (1 - math.exp(-len(words) / LENGTH_SCALE)) + variety
    if reference is None:
        return score / 4
    return (score + 4 * _overlap(set(words), set(_words(reference)))) / 8


def _overlap(words: set[str], reference: set[str]) -> float:
    return 2 * len(words & reference) / max(1, len(words) + len(reference))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
