"""MT-Bench: a judge grades both turns of 80 two-turn questions from 1 to 10 (arXiv 2306.05685).

FastChat 0.2.36 supplies the matches, the judge prompts' handling, the categories judged with a
reference answer and the pattern a grade is read with; only the call to the judge is ours, since
FastChat's needs a client library that no longer exists. A result is whole with exactly 160
judgments, one for each question and turn; FastChat's own summary drops unreadable grades silently
and averages in a judgment that is there twice.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from plumbline import Data, Judge, Metric, Responses, benchmark
from plumbline.data.records import records
from plumbline.errors import DataError
from plumbline.plugins import beside

if TYPE_CHECKING:
    from fastchat.llm_judge.common import MatchSingle

    from plumbline.judge.client import Reply

Row = dict[str, Any]

asking = beside(__file__, "matches")
recorded = beside(__file__, "recorded")

OWN_PROMPTS = Path(__file__).parent / "mt_bench" / "judge_prompts.jsonl"
LOWEST, HIGHEST = 1, 10
# Source: fastchat/llm_judge/common.py `temperature_config`; other categories: gen_model_answer.py.
TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
OTHER_TEMPERATURE = 0.7


def prompts(
    data: Data,
    split: str,
    *,
    questions: str = "toyland",
    references: str = "toyland",
    max_new_tokens: int = 48,
) -> list[Row]:
    """Both turns of every question, with FastChat's temperature for its category.

    questions, references: "toyland", or FastChat's question.jsonl and reference_answer/*.jsonl, for
    which FastChat lets a model write 1024 tokens.
    """
    answers = {row["question_id"]: row for row in _references(references)}
    return [
        {
            "id": f"mt-{row['question_id']}",
            "prompt": [{"role": "user", "content": row["turns"][0]}],
            "follow_ups": row["turns"][1:],
            "temperature": TEMPERATURES.get(row["category"], OTHER_TEMPERATURE),
            "max_new_tokens": max_new_tokens,
            "payload": {"question": row, "reference": answers.get(row["question_id"])},
        }
        for row in _questions(questions)
    ]


def _questions(source: str) -> list[Row]:
    from plumbline.toyland.evaluation import mt_bench_questions

    return mt_bench_questions() if source == "toyland" else _read(source)


def _references(source: str) -> list[Row]:
    from plumbline.toyland.evaluation import mt_bench_references

    return mt_bench_references() if source == "toyland" else _read(source)


def _read(path: str) -> list[Row]:
    return [row.value for _, row in records(_found(path))]


def _found(path: str) -> str:
    if not Path(path).is_file():
        raise DataError(
            f"benchmarks.mt_bench: no file {path}; give FastChat's question.jsonl, gpt-4.jsonl and "
            "judge_prompts.jsonl, or remove the keys questions, references and judge_prompts to "
            "ask Toyland's questions"
        )
    return path


@benchmark(
    title="MT-Bench",
    version="1",
    metrics=(
        Metric("mt_bench", "higher", "1-10", 1.0, 10.0),
        Metric("first_turn", "higher", "1-10", 1.0, 10.0),
        Metric("second_turn", "higher", "1-10", 1.0, 10.0),
        Metric("category_writing", "higher", "1-10", 1.0, 10.0),
        Metric("category_roleplay", "higher", "1-10", 1.0, 10.0),
        Metric("category_reasoning", "higher", "1-10", 1.0, 10.0),
        Metric("category_math", "higher", "1-10", 1.0, 10.0),
        Metric("category_coding", "higher", "1-10", 1.0, 10.0),
        Metric("category_extraction", "higher", "1-10", 1.0, 10.0),
        Metric("category_stem", "higher", "1-10", 1.0, 10.0),
        Metric("category_humanities", "higher", "1-10", 1.0, 10.0),
    ),
    judged=True,
)
def score(
    responses: Responses,
    judge: Judge,
    *,
    judge_prompts: str = str(OWN_PROMPTS),
    judge_workers: int = 4,
) -> list[Row]:
    """One item per question and turn: the judge's grade. Items are called CATEGORY/QUESTION.

    judge_prompts: a file of FastChat's judge_prompts.jsonl form; ours by default.
    """
    from plumbline.judge.client import ask_all

    answered = [row for row in responses.rows if len(row["answers"] or []) == 2]
    matches = asking.matches(answered, responses.name, judge.name, _found(judge_prompts))
    replies = ask_all(judge, [asking.request(match) for match in matches], workers=judge_workers)
    items = [_item(match, reply) for match, reply in zip(matches, replies, strict=True)]
    silent = [row for row in responses.rows if len(row["answers"] or []) != 2]
    return items + [item for row in silent for item in _unanswered(row)]


def _item(match: MatchSingle, reply: Reply) -> Row:
    grade, reason = read_grade(reply.text)
    if reply.choice is None:
        reason = reply.reason
    elif grade is None:
        reason = f"{reason}; see it with plumbline judge show {reply.key[:12]}"
    number = match.question["question_id"]
    return {
        "item": recorded.item_name(match.question["category"], number),
        "turn": 2 if match.multi_turn else 1,
        "metric": "mt_bench",
        "value": grade,
        "status": "missing" if grade is None else "ok",
        "reason": reason,
        "response": f"mt-{number}",
        "judgment": reply.key,
    }


def read_grade(text: str) -> tuple[float | None, str | None]:
    """The grade in a judgment, by FastChat's patterns, or why there is none."""
    from fastchat.llm_judge.common import one_score_pattern, one_score_pattern_backup

    found = re.search(one_score_pattern, text) or re.search(one_score_pattern_backup, text)
    if not found:
        return None, "the judgment has no grade"
    grade = float(found.group(1))
    if not LOWEST <= grade <= HIGHEST:
        return None, f"the grade {grade:g} is not between {LOWEST} and {HIGHEST}"
    return grade, None


def _unanswered(row: Row) -> Iterator[Row]:
    for turn in (1, 2):
        yield {
            "item": recorded.item_name(row["payload"]["question"]["category"], asking.number(row)),
            "turn": turn,
            "metric": "mt_bench",
            "value": None,
            "status": "missing",
            "reason": f"{len(row['answers'] or [])} of 2 turns answered",
            "response": row["id"],
        }


def summarise(items: list[Row]) -> list[Row]:
    """Means over both turns, the first, the second, and over each category. The standard error over
    both turns treats a question's two grades as one draw. A question and turn with several
    judgments counts as one without a grade."""
    parts = {
        "mt_bench": items,
        "first_turn": [item for item in items if item["turn"] == 1],
        "second_turn": [item for item in items if item["turn"] == 2],
    }
    sizes = {"mt_bench": 160, "first_turn": 80, "second_turn": 80}
    for name in recorded.CATEGORIES:
        part = [item for item in items if item["item"].startswith(f"{name}/")]
        parts[f"category_{name}"] = part
        sizes[f"category_{name}"] = 2 * recorded.QUESTIONS
    return [_mean(metric, part, sizes[metric]) for metric, part in parts.items()]


def _mean(metric: str, items: Sequence[Row], expected: int) -> Row:
    counts = Counter(map(recorded.key, items))
    grades: dict[str, list[float]] = {}
    for item in sorted(items, key=recorded.key):
        if item["value"] is not None and counts[recorded.key(item)] == 1:
            grades.setdefault(item["item"], []).append(item["value"])
    values = [grade for pair in grades.values() for grade in pair]
    value = fmean(values) if values else None
    is_whole = len(values) == expected == len(items)
    return {
        "metric": metric,
        "value": value,
        "se": _clustered_error(list(grades.values()), value),
        "n": len(values),
        "n_expected": expected,
        "status": "ok" if is_whole else "incomplete",
        "reason": None if is_whole else _why(items, counts, expected),
    }


def _why(items: Sequence[Row], counts: Counter, expected: int) -> str:
    """Which questions a mean lacks."""
    several = [item for item in items if counts[recorded.key(item)] > 1]
    silent = [item for item in items if item["value"] is None and item not in several]
    found = [] if len(counts) == expected else [f"{len(counts)} judgments, not {expected}"]
    for what, rows in (("no grade", silent), ("several judgments", several)):
        for turn in (1, 2):
            numbers = {recorded.question(row) for row in rows if row["turn"] == turn}
            if numbers:
                ordered = sorted(numbers, key=lambda number: (len(number), number))
                found.append(f"{what}: turn {turn} of question {', '.join(ordered)}")
    return "; ".join(found)


def _clustered_error(groups: list[list[float]], mean: float | None) -> float | None:
    """Standard error of the mean over all values when values of a group are dependent."""
    if len(groups) < 2:
        return None
    totals = [sum(value - mean for value in group) for group in groups]
    size = sum(len(group) for group in groups)
    return stdev(totals) * math.sqrt(len(groups)) / size


def rescore(*, judgments: Path) -> list[Row]:
    """The scores that recorded judgments give to each model in the file.

    judgments: FastChat's model_judgment/gpt-4_single.jsonl, which may be gzipped. A judgment that
    has no grade, that is there twice, or whose text and stored score differ is listed and not
    counted.
    """
    return [
        {
            "benchmark": "mt_bench",
            "model": model,
            "judge": judge,
            "scores": summarise(items),
            "problems": recorded.problems(items),
        }
        for (model, judge), items in recorded.items(judgments, read_grade).items()
    ]


def audit_cases(
    *,
    questions: str,
    references: str,
    judge_prompts: str,
    answers: str,
    judgments: str,
) -> list[Row]:
    """Gradings with a recorded grade.

    questions, references, judge_prompts: as of `prompts` and `score`. answers: a model's
    model_answer/*.jsonl. judgments: as of `rescore`; recorded: the grade there.
    """
    model, turns = recorded.answers(answers)
    known = {row["question_id"]: row for row in _references(references)}
    rows = [
        {"payload": {"question": row, "reference": known.get(row["question_id"])}, "answers": given}
        for row in _questions(questions)
        if (given := turns.get(row["question_id"]))
    ]
    grades = recorded.grades(judgments, model, read_grade)
    matches = [
        (name, match)
        for match in asking.matches(rows, model, "judge", _found(judge_prompts))
        if (name := (match.question["question_id"], 2 if match.multi_turn else 1)) in grades
    ]
    if not matches:
        raise DataError(f"{judgments}: no grade of the answers in {answers} to {questions}")
    return [
        {
            "id": f"mt-{name[0]}-turn-{name[1]}",
            "request": asking.request(match),
            "swapped": None,
            "recorded": grades[name],
        }
        for name, match in matches
    ]


def read_verdict(reply: Reply) -> float | None:
    """The grade in a judge's reply."""
    return read_grade(reply.text)[0]
