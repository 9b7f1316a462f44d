"""MT-Bench: a judge grades both turns of 80 two-turn questions from 1 to 10 (arXiv 2306.05685).

FastChat 0.2.36 supplies the matches, the judge prompts' handling, the categories judged with a
reference answer and the pattern a grade is read with; only the call to the judge is ours, since
FastChat's needs a client library that no longer exists. 160 judgments or the result is incomplete;
FastChat's own summary drops unreadable grades silently.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from plumbline import Data, Judge, Metric, Responses, benchmark
from plumbline.errors import DataError

if TYPE_CHECKING:
    from fastchat.llm_judge.common import MatchSingle

    from plumbline.judge.client import Reply

Row = dict[str, Any]

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
    return [json.loads(line) for line in Path(_found(path)).read_text("utf-8").splitlines()]


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
    """One item per question and turn: the judge's grade.

    judge_prompts: a file of FastChat's judge_prompts.jsonl form; ours by default.
    """
    from plumbline.judge.client import ask_all

    answered = [row for row in responses.rows if len(row["answers"] or []) == 2]
    matches = _matches(answered, responses.name, judge.name, judge_prompts)
    replies = ask_all(judge, [_request(match) for match in matches], workers=judge_workers)
    items = [_item(match, reply) for match, reply in zip(matches, replies, strict=True)]
    silent = [row for row in responses.rows if len(row["answers"] or []) != 2]
    return items + [item for row in silent for item in _unanswered(row)]


def _matches(rows: list[Row], model: str, judge: str, judge_prompts: str) -> list[MatchSingle]:
    """FastChat's matches: every question's two turns, with a reference where its category has one.

    FastChat looks references up under the judge's name.
    """
    from fastchat.llm_judge.common import NEED_REF_CATS, load_judge_prompts
    from fastchat.llm_judge.gen_judgment import make_judge_single, make_match_single

    judges = make_judge_single(judge, load_judge_prompts(_found(judge_prompts)))
    questions = {"default": [], "math": []}
    for row in rows:
        kind = "math" if row["payload"]["question"]["category"] in NEED_REF_CATS else "default"
        questions[kind].append(row["payload"]["question"])
    answers = {model: {_number(row): _turns(row["answers"]) for row in rows}}
    references = {judge: {_number(row): row["payload"]["reference"] for row in rows}}
    return [
        match
        for kind, reference in (("default", None), ("math", references))
        for suffix, second in (("", False), ("-mt", True))
        for match in make_match_single(
            questions[kind],
            [model],
            answers,
            judges[kind + suffix],
            ref_answers=reference,
            multi_turn=second,
        )
    ]


def _number(row: Row) -> int:
    return row["payload"]["question"]["question_id"]


def _turns(texts: list[str]) -> Row:
    return {"choices": [{"index": 0, "turns": texts}]}


def _request(match: MatchSingle) -> Row:
    """The chat FastChat would send to a judge that is a chat model, with its decoding."""
    template = match.judge.prompt_template
    text = template["prompt_template"].format(**dict(_fields(match)))
    return {
        "messages": [
            {"role": "system", "content": template["system_prompt"]},
            {"role": "user", "content": text},
        ],
        "temperature": 0,
        "max_tokens": 2048,
    }


def _fields(match: MatchSingle) -> Iterator[tuple[str, str]]:
    """What FastChat's templates name; a one-turn template names question and answer alone."""
    questions = match.question["turns"]
    answers = match.answer["choices"][0]["turns"]
    yield from {"question": questions[0], "answer": answers[0]}.items()
    for turn in (1, 2):
        yield f"question_{turn}", questions[turn - 1]
        yield f"answer_{turn}", answers[turn - 1]
        if match.ref_answer:
            yield f"ref_answer_{turn}", match.ref_answer["choices"][0]["turns"][turn - 1]


def _item(match: MatchSingle, reply: Reply) -> Row:
    grade, reason = (None, reply.reason) if reply.choice is None else read_grade(reply.text)
    return {
        "item": str(match.question["question_id"]),
        "turn": 2 if match.multi_turn else 1,
        "metric": "mt_bench",
        "value": grade,
        "status": "missing" if grade is None else "ok",
        "reason": reason,
        "response": f"mt-{match.question['question_id']}",
        "judgment": reply.key,
    }


def read_grade(text: str) -> tuple[float | None, str | None]:
    """The grade in a judgment, by FastChat's patterns, or why there is none."""
    from fastchat.llm_judge.common import one_score_pattern, one_score_pattern_backup

    found = re.search(one_score_pattern, text) or re.search(one_score_pattern_backup, text)
    if not found:
        return None, f"no grade in the judgment {text[-80:]!r}"
    grade = float(ast.literal_eval(found.group(1)))
    if not LOWEST <= grade <= HIGHEST:
        return None, f"the grade {grade:g} is not between {LOWEST} and {HIGHEST}"
    return grade, None


def _unanswered(row: Row) -> Iterator[Row]:
    for turn in (1, 2):
        yield {
            "item": str(_number(row)),
            "turn": turn,
            "metric": "mt_bench",
            "value": None,
            "status": "missing",
            "reason": f"{len(row['answers'] or [])} of 2 turns answered",
            "response": row["id"],
        }


def summarise(items: list[Row]) -> list[Row]:
    """Means over both turns, the first and the second. The standard error over both turns treats
    a question's two grades as one draw."""
    first = [item for item in items if item["turn"] == 1]
    second = [item for item in items if item["turn"] == 2]
    return [
        _mean("mt_bench", items),
        _mean("first_turn", first),
        _mean("second_turn", second),
    ]


def _mean(metric: str, items: list[Row]) -> Row:
    grades: dict[str, list[float]] = {}
    for item in sorted(items, key=lambda item: (item["item"], item["turn"])):
        if item["value"] is not None:
            grades.setdefault(item["item"], []).append(item["value"])
    values = [grade for pair in grades.values() for grade in pair]
    value = fmean(values) if values else None
    return {
        "metric": metric,
        "value": value,
        "se": _clustered_error(list(grades.values()), value),
        "n": len(values),
        "n_expected": len(items),
    }


def _clustered_error(groups: list[list[float]], mean: float | None) -> float | None:
    """Standard error of the mean over all values when values of a group are dependent."""
    if len(groups) < 2:
        return None
    totals = [sum(value - mean for value in group) for group in groups]
    size = sum(len(group) for group in groups)
    return stdev(totals) * math.sqrt(len(groups)) / size
