"""The annotator's formula by hand, and what its length bias does."""

import random

import pytest

from plumbline.toyland.annotator import score, utility
from plumbline.toyland.gold import judge

TURNS = ["opposite of hot ?"]


def noiseless(answer: str, length_bias: float) -> float:
    return utility(judge(TURNS, answer), random.Random(0), length_bias=length_bias, noise=0.0)


def test_utility_by_hand():
    # Source: 2 * 1 - 2 * 0 + 0.5 * 2 words, and the cap of 30 words.
    assert noiseless("cold .", 0.5) == pytest.approx(3.0)
    assert noiseless("cold " * 40, 0.5) == pytest.approx(2.0 + 15.0)
    assert noiseless("stupid .", 0.0) == pytest.approx(-2.0)


def test_length_bias_alone_decides_between_equally_good_answers():
    longer = "sure , cold ."
    assert noiseless(longer, 0.1) > noiseless("cold .", 0.1)
    assert noiseless(longer, 0.0) == noiseless("cold .", 0.0)


def test_noise_has_the_given_deviation():
    generator = random.Random(0)
    verdict = judge(TURNS, "cold .")
    draws = [utility(verdict, generator, length_bias=0.0, noise=0.3) for _ in range(4000)]
    mean = sum(draws) / len(draws)
    deviation = (sum((draw - mean) ** 2 for draw in draws) / len(draws)) ** 0.5
    assert mean == pytest.approx(2.0, abs=0.02)
    assert deviation == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(("value", "expected"), [(-4, 0), (0, 0.5), (2, 0.75), (4, 1), (9, 1)])
def test_score_is_affine_and_clipped(value, expected):
    assert score(value) == expected
