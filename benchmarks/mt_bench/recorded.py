"""Recorded answers and judgments in FastChat's own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from plumbline.data.records import Value, records, shown
from plumbline.errors import DataError

Row = dict[str, Any]
Read = Callable[[str], tuple[float | None, str | None]]

#: In the order of the official questions, ten of each.
CATEGORIES = (
    "writing",
    "roleplay",
    "reasoning",
    "math",
    "coding",
    "extraction",
    "stem",
    "humanities",
)
QUESTIONS = 10
NUMBERS = range(81, 161)
#: What FastChat stores where it read no grade.
NO_GRADE = -1
#: No stored score is larger.
MANY = 10**9


def category(number: int) -> str:
    """The category of an official question."""
    return CATEGORIES[(number - NUMBERS[0]) // QUESTIONS]


def judgments(path: str | Path) -> Iterator[Row]:
    """`question`, `turn`, `model`, `judge`, `judgment` and `score` of each row; DataError for a row
    that has another form."""
    for row in _rows(path):
        judge = row["judge"].items()
        if not judge:
            raise row["judge"].wrong("the names of the judge and of its prompt")
        yield {
            "question": _whole(row["question_id"], NUMBERS[0], NUMBERS[-1]),
            "turn": _whole(row["turn"], 1, 2),
            "model": row["model"].text(),
            "judge": judge[0].text(),
            "judgment": row["judgment"].text(),
            "score": row["score"].number(NO_GRADE, MANY),
        }


def answers(path: str | Path) -> tuple[str, dict[int, list[str]]]:
    """The model's name, and question → its first choice's two turns; DataError for another form."""
    found, name = {}, ""
    for row in _rows(path):
        name = row["model_id"].text()
        choices = row["choices"].items()
        turns = [turn.text() for turn in choices[0]["turns"].items()] if choices else []
        if len(turns) != 2:
            raise row["choices"].wrong("a choice with two turns")
        found[_whole(row["question_id"], 0, MANY)] = turns
    return name, found


def items(path: str | Path, read: Read) -> dict[tuple[str, str], list[Row]]:
    """(model, judge) → its items, with one of value None for each judgment that is missing.

    read: a judgment's grade, or why it has none.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in judgments(path):
        grade, reason = checked(*read(row["judgment"]), row["score"])
        name = item_name(category(row["question"]), row["question"])
        item = {"item": name, "turn": row["turn"], "value": grade, "reason": reason}
        found.setdefault((row["model"], row["judge"]), []).append(item)
    for several in found.values():
        there = {(item["item"], item["turn"]) for item in several}
        names = [item_name(category(number), number) for number in NUMBERS]
        several += [
            {"item": name, "turn": turn, "value": None, "reason": "no judgment"}
            for name, turn in product(names, (1, 2))
            if (name, turn) not in there
        ]
    return found


def grades(path: str | Path, model: str, read: Read) -> dict[tuple[int, int], float]:
    """(question, turn) → the grade of the one judgment on record of a model's answer; DataError
    where the file does not have one judge of that model."""
    found = [several for (name, _), several in items(path, read).items() if name == model]
    if len(found) != 1:
        raise DataError(f"{path}: {len(found)} judges of {shown(model)}; expected one")
    counts = Counter(map(key, found[0]))
    return {
        (int(question(item)), item["turn"]): item["value"]
        for item in found[0]
        if item["value"] is not None and counts[key(item)] == 1
    }


def item_name(category: str, number: int) -> str:
    """What the item of a question is called."""
    return f"{category}/{number}"


def question(item: Row) -> str:
    """The question of an item."""
    return item["item"].rpartition("/")[2]


def key(item: Row) -> tuple[str, int]:
    """What an item must be alone with."""
    return item["item"], item["turn"]


def _rows(path: str | Path) -> Iterator[Value]:
    if not Path(path).is_file():
        raise DataError(f"no file {path}; give JSON lines in FastChat's form, plain or .gz")
    return (row for _, row in records(str(path)))


def _whole(value: Value, low: int, high: int) -> int:
    number = value.number(low, high)
    if number != int(number):
        raise value.wrong(f"a whole number from {low} to {high}")
    return int(number)


def checked(
    grade: float | None, reason: str | None, stored: float
) -> tuple[float | None, str | None]:
    """The grade of a judgment's text and its reason, unless the stored score is another."""
    if stored == (NO_GRADE if grade is None else grade):
        return grade, reason
    said = reason or f"the judgment says {grade:g}"
    return None, f"{said}, the stored score is {stored:g}"


def problems(items: Sequence[Row]) -> list[Row]:
    """`question`, `turn` and `reason` of all that does not count, in order."""
    counts = Counter(map(key, items))
    found = {
        key(item): {
            "question": int(question(item)),
            "turn": item["turn"],
            "reason": item["reason"]
            if counts[key(item)] == 1
            else f"{counts[key(item)]} judgments",
        }
        for item in items
        if item["value"] is None or counts[key(item)] > 1
    }
    return sorted(found.values(), key=lambda row: (row["question"], row["turn"]))
