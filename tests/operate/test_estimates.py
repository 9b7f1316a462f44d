"""Noise of means, differences and ranks."""

from math import hypot, sqrt
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.aggregate import RankRule
from plumbline.operate.estimates import (
    DRAWS,
    Estimate,
    Missing,
    mean_of,
    minus,
    rank_draws,
    rank_estimates,
)

NUMBERS = st.floats(-100, 100)
ERRORS = st.floats(0, 10)
ESTIMATES = st.builds(lambda value, item: Estimate({0: value}, item, 1.0, 1.0), NUMBERS, ERRORS)


@given(st.lists(ESTIMATES, min_size=1, max_size=6))
def test_a_mean_has_the_error_of_a_mean_of_independent_numbers(parts):
    mean = mean_of(parts)
    assert mean.value == pytest.approx(np.mean([part.value for part in parts]), abs=1e-9)
    assert mean.item == pytest.approx(np.linalg.norm([part.item for part in parts]) / len(parts))
    assert mean.seed_error == pytest.approx(1 / sqrt(len(parts)))


def test_a_mean_is_over_the_seeds_that_all_parts_have_and_one_seed_is_for_all():
    parts = [Estimate({0: 1.0, 1: 3.0}, 1.0), Estimate({1: 5.0, 2: 9.0}, 1.0)]
    assert mean_of(parts).by_seed == {1: 4.0}
    parts = [Estimate({0: 1.0, 1: 3.0}, 1.0), Estimate({0: 5.0}, None)]
    assert mean_of(parts).by_seed == {0: 3.0, 1: 4.0} and mean_of(parts).item is None
    assert minus(*reversed(parts)).by_seed == {0: 4.0, 1: 2.0}


def test_no_seed_in_common_is_no_number():
    with pytest.raises(Missing, match="no seed in common"):
        minus(Estimate({0: 1.0, 1: 1.0}, None), Estimate({2: 1.0, 3: 1.0}, None))


@given(ESTIMATES, ESTIMATES)
def test_errors_of_a_difference_add_in_squares(left, right):
    found = minus(left, right)
    assert found.value == left.value - right.value
    assert found.noise == pytest.approx(hypot(left.noise, right.noise))


def test_a_rank_is_the_tables_and_its_noise_that_of_drawn_tables():
    """By hand: two columns, a and b level in one; c, far below, keeps place 3."""
    cells = {
        "a": [Estimate({0: 5.0}, 1.0), Estimate({0: 9.0}, 1e-6)],
        "b": [Estimate({0: 5.0}, 1.0), Estimate({0: 7.0}, 1e-6)],
        "c": [Estimate({0: -99.0}, 1.0), Estimate({0: 1.0}, 1e-6)],
    }
    found = rank_estimates(cells, {"x": "higher", "y": "higher"}, RankRule("all"))
    assert {name: item.value for name, item in found.items()} == {"a": 1.0, "b": 1.5, "c": 3.0}
    assert found["a"].item == pytest.approx(0.25, abs=0.01), "half a coin"
    assert found["c"].item == 0.0
    assert minus(found["a"], found["b"]).item == pytest.approx(0.5, abs=0.02), "they trade places"


def test_lower_is_better_where_it_is_said():
    cells = {name: [Estimate({0: value}, 0.0)] for name, value in (("a", 1.0), ("b", 2.0))}
    found = rank_estimates(cells, {"x": "lower"}, RankRule("all"))
    assert found["a"].value == found["a"].draws.mean() == 1.0


def test_who_is_put_last_has_no_noise():
    cells = {name: [Estimate({0: 1.0}, 5.0)] for name in ("sft", "dpo", "kto")}
    found = rank_estimates(cells, {"x": "higher"}, RankRule("aligned"))
    assert (found["sft"].value, found["sft"].item) == (3.0, 0.0)
    assert "sft" not in rank_estimates(cells, {"x": "higher"}, RankRule(unranked="omit"))


def test_draws_have_the_cells_mean_and_deviation():
    """Two methods of one column: b wins with the probability of a normal difference above 0."""
    cells = [[Estimate({0: 0.0}, 3.0)], [Estimate({0: 5.0}, 4.0)]]
    drawn = rank_draws(cells, ["higher"], "min")
    assert drawn.shape == (DRAWS, 2)
    assert (drawn[:, 1] == 1).mean() == pytest.approx(0.8413, abs=0.02)


def test_noise_is_of_items_and_of_the_mean_over_seeds():
    values = [1.0, 2.0, 6.0]
    item = Estimate(dict(enumerate(values)), 2.0, stdev(values), stdev(values) / sqrt(3))
    assert (item.value, item.noise) == (3.0, pytest.approx(hypot(2.0, stdev(values) / sqrt(3))))
