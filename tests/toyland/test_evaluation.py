"""Evaluation sets: counts, formats, and prompts of the test split only."""

from collections import Counter

import pytest

from plumbline.toyland.evaluation import (
    MT_BENCH_KINDS,
    alpaca_reference,
    ifeval,
    is_test,
    mt_bench_questions,
    mt_bench_references,
    multiple_choice,
)
from plumbline.toyland.gold import correctness, judge
from plumbline.toyland.lexicon import MYTH_OF
from plumbline.toyland.world import CONSTRAINTS, parse

PROBES = ("arc", "truthfulqa", "gpqa")


def test_alpaca_reference():
    rows = alpaca_reference()
    assert len({row["instruction"] for row in rows}) == len(rows) == 256
    assert all(is_test(row["instruction"]) for row in rows)
    assert {row["generator"] for row in rows} == {"toyland_writer"}
    assert alpaca_reference(10) == rows[:10]


def test_mt_bench_questions():
    rows = mt_bench_questions()
    assert [row["question_id"] for row in rows] == list(range(1, 81))
    assert Counter(row["category"] for row in rows) == dict.fromkeys(MT_BENCH_KINDS, 10)
    for row in rows:
        first, second = row["turns"]
        assert is_test(first)
        assert parse([first, second]).kind == MT_BENCH_KINDS[row["category"]]


def test_mt_bench_references_answer_both_turns():
    questions = {row["question_id"]: row for row in mt_bench_questions()}
    references = mt_bench_references()
    assert len(references) == 30
    for reference in references:
        question = questions[reference["question_id"]]
        assert question["category"] in ("math", "reasoning", "coding")
        first, second = reference["choices"][0]["turns"]
        assert judge(question["turns"][:1], first).reward == 2.0
        assert judge(question["turns"], second).reward == 2.0


@pytest.mark.parametrize("name", PROBES)
def test_multiple_choice_has_one_right_answer(name):
    rows = multiple_choice(name)
    assert len({row["question"] for row in rows}) == len(rows) == 200
    for row in rows:
        task = parse([row["question"]])
        right = [correctness(task, choice.split()) == 1.0 for choice in row["choices"]]
        assert is_test(row["question"])
        assert right == [index == row["answer"] for index in range(4)]


@pytest.mark.parametrize("name", PROBES)
def test_the_place_of_the_right_answer_says_nothing(name):
    places = Counter(row["answer"] for row in multiple_choice(name))
    # Four standard deviations of a binomial count with n = 200, p = 1/4.
    assert all(abs(places[place] - 50) < 25 for place in range(4))


def test_the_popular_falsehood_is_among_the_choices():
    for row in multiple_choice("truthfulqa"):
        noun = parse([row["question"]]).subject[0]
        assert f"{noun} is a {MYTH_OF[noun]}" in row["choices"]


def test_ifeval():
    rows = ifeval()
    assert len({row["prompt"] for row in rows}) == len(rows) == 180
    assert Counter(row["constraint"] for row in rows) == dict.fromkeys(CONSTRAINTS, 30)
    for row in rows:
        assert is_test(row["prompt"])
        assert parse([row["prompt"]]).constraint == row["constraint"]
