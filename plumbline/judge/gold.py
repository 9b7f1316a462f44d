"""Toyland's gold judge behind the evaluators' prompts: exact, free, and blind to who answered."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline.errors import DataError, JudgeError
from plumbline.judge.reading import Choice, Comparison, Grading, read
from plumbline.judge.wire import Answer, Message
from plumbline.schema import LOCAL_JUDGES
from plumbline.toyland import gold


class GoldJudge:
    """Answers from the prompt's text by `plumbline.toyland.gold`."""

    name = "toyland-gold"
    version = LOCAL_JUDGES[name]
    note = ""

    def answer(self, messages: Sequence[Message]) -> Answer:
        """See `wire.Answerer.answer`."""
        asked = read(messages)
        try:
            return ANSWERS[type(asked)](asked)
        except DataError as error:
            raise JudgeError(f"{self.name} judges Toyland's prompts only") from error


def _compare(asked: Comparison) -> Answer:
    first = gold.judge([asked.instruction], asked.first)
    second = gold.judge([asked.instruction], asked.second)
    probabilities = {"m": gold.preference(first, second), "M": gold.preference(second, first)}
    return Answer("m" if probabilities["m"] >= probabilities["M"] else "M", probabilities)


def _grade(asked: Grading) -> Answer:
    verdict = gold.judge(asked.turns, asked.answers[-1])
    return Answer(f"Gold reward {verdict.reward:.2f}. Rating: [[{gold.rating(verdict)}]]")


def _choose(asked: Choice) -> Answer:
    first = gold.judge(asked.turns, asked.first).reward
    second = gold.judge(asked.turns, asked.second).reward
    return Answer(
        f"Comparison: A has gold reward {first:.2f} and B has {second:.2f}.\n"
        f"Better response: {asked.better(first, second)}"
    )


ANSWERS = {Comparison: _compare, Grading: _grade, Choice: _choose}
