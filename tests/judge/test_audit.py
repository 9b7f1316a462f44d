"""A judge's figures on verdicts by hand, and through an endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import served

from plumbline.errors import JudgeError
from plumbline.judge.audit import (
    audit,
    evenly,
    grade_agreement,
    position_bias,
    self_agreement,
    side_agreement,
)
from plumbline.judge.wire import Answer

VERDICTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20)


def test_cases_are_taken_evenly_from_all():
    assert evenly(list("abcdefgh"), 3) == ["a", "c", "f"]  # places 0, 8/3, 16/3
    assert evenly([1, 2], 9) == [1, 2] and evenly([], 4) == []


def test_position_bias_by_hand():
    """(0.9, 0.9) does not care for places; (0.1, 0.9) took the first answer both times."""
    assert position_bias([(0.9, 0.9)]) == {"same_winner": 1.0, "first_place": 0.0}
    found = position_bias([(0.9, 0.9), (0.1, 0.9)])
    assert found == {"same_winner": 0.5, "first_place": pytest.approx(0.2)}
    assert position_bias([]) == {"same_winner": None, "first_place": None}


@given(VERDICTS)
def test_exchanging_the_orders_turns_the_bias_around(pairs):
    turned = [(other, one) for one, other in pairs]
    assert position_bias(turned)["first_place"] == pytest.approx(
        -position_bias(pairs)["first_place"]
    )


def test_self_agreement_by_hand():
    """Of three draws two agree: one pair of three. A draw that is missing does not count."""
    assert self_agreement([[0.9, 0.8, 0.1]], True) == pytest.approx(1 / 3)
    assert self_agreement([[7, 7], [7, None], [5, 6]], False) == 0.5
    assert self_agreement([[0.9]], True) is None


def test_agreement_by_hand():
    """Three of four agree; the recorded draw does not count. Wilson's interval for 3 of 4 by its
    formula: centre (3 + z2/2) / (4 + z2) with z2 = 3.8415 is 0.6275, half width 0.3269. Kappa:
    observed 0.75, expected 0.5."""
    pairs = [(0.9, 1.0), (0.8, 0.7), (0.9, 0.1), (0.2, 0.3), (0.9, 0.5)]
    found = side_agreement(pairs)
    assert found["agreement"] == 0.75
    assert found["interval"] == pytest.approx([0.3006, 0.9544], abs=1e-3)
    assert found["kappa"] == pytest.approx(0.5)
    assert side_agreement([])["agreement"] is None


def test_grades_by_hand():
    found = grade_agreement([(7, 7), (5, 6), (9, 10), (3, 1)])
    assert found["equal"] == 0.25
    assert found["mean_error"] == 1.0
    assert found["mean_difference"] == 0.0
    assert found["spearman"] == pytest.approx(1.0)
    assert grade_agreement([(7, 7)])["equal"] is None


class FirstPlace:
    """Likes what is shown first, 0.8 to 0.2, whatever it is; cannot read "?"."""

    name, version, note = "first", "1", ""

    def answer(self, messages):
        if messages[-1]["content"] == "?":
            raise JudgeError("what?")
        return Answer("0.2")


def chat(text):
    return {"messages": [{"role": "user", "content": text}]}


def test_a_judge_that_likes_a_place_is_found_out():
    case = {"request": chat("model last"), "swapped": chat("model first"), "recorded": 0.9}
    unread = case | {"request": chat("?")}

    def read(reply):
        return float(reply.text) if reply.choice else None

    with served(FirstPlace()) as judge:
        found = audit(judge, [case, unread], read, draws=2, workers=2)
    assert found["first_place"] == pytest.approx(0.3)
    assert (found["same_winner"], found["self_agreement"], found["agreement"]) == (0.0, 1.0, 0.0)
    assert (found["cases"], found["judged"], found["draws"]) == (2, 1, 2)


class Reader:
    """Prefers the model's answer 0.9 to 0.1, wherever it stands; cannot read "?"."""

    name, version, note = "reader", "1", ""

    def answer(self, messages):
        if messages[-1]["content"] == "?":
            raise JudgeError("what?")
        return Answer("0.9" if messages[-1]["content"] == "model last" else "0.1")


def test_a_judge_that_reads_likes_no_place():
    case = {"request": chat("model last"), "swapped": chat("model first"), "recorded": 0.9}
    unread = case | {"swapped": chat("?")}

    def read(reply):
        return float(reply.text) if reply.choice else None

    with served(Reader()) as judge:
        found = audit(judge, [case, unread], read, draws=1, workers=1)
    assert found["first_place"] == pytest.approx(0.0)
    assert (found["same_winner"], found["agreement"]) == (1.0, 1.0)
