"""Ranges of hyperparameters, and what the two decorators leave on a function."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline import (
    Fraction,
    Metric,
    NonNegative,
    Positive,
    Real,
    Samples,
    benchmark,
    contracts,
    method,
)
from plumbline.contracts import RANGES


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("Positive", [1e-300, 1, 1e9], [0, -1e-300, -1]),
        ("NonNegative", [0, 1e9], [-1e-300]),
        ("Fraction", [0, 0.5, 1], [-1e-9, 1 + 1e-9]),
        ("Real", [-1e9, 0, 1e9], []),
        ("Samples", [1, 4.0, 16], [0, 2.5, 17]),
    ],
)
def test_ranges(name, inside, outside):
    assert all(RANGES[name].holds(value) for value in inside)
    assert not any(RANGES[name].holds(value) for value in outside)


@pytest.mark.parametrize("name", RANGES)
def test_not_a_number_is_in_no_range(name):
    assert not RANGES[name].holds(math.nan)


def test_ranges_in_words():
    words = {name: str(item) for name, item in RANGES.items()}
    assert words["Positive"] == "> 0" and words["NonNegative"] == ">= 0"
    assert words["Real"] == "any number"
    assert words["Fraction"] == "between 0 and 1"
    assert words["Samples"] == "a whole number between 1 and 16"


@given(st.sampled_from([Positive, NonNegative, Fraction, Real, Samples]))
def test_an_annotation_carries_its_range(annotation):
    kind, held = get_args(annotation)
    assert kind is float and held in RANGES.values()


def test_decorators_return_the_function_itself():
    def loss(batch):
        return batch

    def score(responses):
        return responses

    metric = Metric("win_rate", "higher", "%", 0, 100)
    assert method(title="Loss", paper="arXiv:1v1", coupled=True)(loss) is loss
    assert benchmark(title="Score", version="2", metrics=(metric,))(score) is score
    assert loss.card == contracts.MethodCard("Loss", "arXiv:1v1", coupled=True)
    assert score.card == contracts.BenchmarkCard("Score", "2", (metric,))
    assert score.card.splits == ("test",), "test only, unless the file says otherwise"
