"""What FastChat asks its judge: a question with an answer and a judge's prompt, as a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastchat.llm_judge.common import MatchSingle

Row = dict[str, Any]


def matches(rows: list[Row], model: str, judge: str, judge_prompts: str) -> list[MatchSingle]:
    """FastChat's matches: every question's two turns, with a reference where its category has one.

    FastChat looks references up under the judge's name.
    """
    from fastchat.llm_judge.common import NEED_REF_CATS, load_judge_prompts
    from fastchat.llm_judge.gen_judgment import make_judge_single, make_match_single

    judges = make_judge_single(judge, load_judge_prompts(judge_prompts))
    questions = {"default": [], "math": []}
    for row in rows:
        kind = "math" if row["payload"]["question"]["category"] in NEED_REF_CATS else "default"
        questions[kind].append(row["payload"]["question"])
    answers = {model: {number(row): _turns(row["answers"]) for row in rows}}
    references = {judge: {number(row): row["payload"]["reference"] for row in rows}}
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


def number(row: Row) -> int:
    return row["payload"]["question"]["question_id"]


def _turns(texts: list[str]) -> Row:
    return {"choices": [{"index": 0, "turns": texts}]}


def request(match: MatchSingle) -> Row:
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
