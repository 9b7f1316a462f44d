"""Forget and retain accuracy by hand: who answers rightly, on which side."""

import pytest

from plumbline import Data
from plumbline.artifacts import write_rows
from plumbline.rows import FEEDBACK
from plumbline.score import means
from plumbline.toyland.facts import feedback
from plumbline.toyland.spec import FactsSpec


@pytest.fixture(scope="module")
def facts(module):
    return module("toyland_facts")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    folder = tmp_path_factory.mktemp("facts")
    write_rows(folder / "test.parquet", list(feedback(FactsSpec(), "test")), FEEDBACK)
    return Data(str(folder), "toyland_facts", 0)


def solution(data, row) -> str:
    from plumbline.toyland.answers import solution
    from plumbline.toyland.world import parse, user_turns

    return solution(parse(user_turns(row["prompt"])))


def scores(facts, responses) -> dict[str, float]:
    return {row["metric"]: row["value"] for row in means(facts.score(responses))}


def test_as_many_facts_to_forget_as_to_retain(facts, data):
    rows = facts.prompts(data, "test", limit=40)
    sides = [row["payload"]["side"] for row in rows]
    assert sides == ["forget"] * 20 + ["retain"] * 20
    assert {row["temperature"] for row in rows} == {0.0}


@pytest.mark.parametrize(
    ("knows", "expected"),
    [
        (("forget", "retain"), (100.0, 100.0, 50.0)),
        (("retain",), (100.0, 0.0, 100.0)),
        (("forget",), (0.0, 100.0, 0.0)),
        ((), (0.0, 0.0, 50.0)),
    ],
)
def test_accuracies_by_what_a_model_knows(facts, data, respond, knows, expected):
    """Source: by definition; knowing everything or nothing treats half of the questions right."""

    def answer(row):
        return [solution(data, row) if row["payload"]["side"] in knows else "sorry ."]

    found = scores(facts, respond(facts.prompts(data, "test", limit=40), answer))
    names = ("retain_accuracy", "forget_accuracy", "unlearned")
    assert tuple(found[name] for name in names) == expected
