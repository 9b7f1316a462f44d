"""Bounds of a mean with missing items, by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plumbline.stats.missing import Bounds, bounds


def test_bounds_by_hand():
    values = np.array([[100.0, np.nan], [50, 0]])
    assert bounds(values, 0, 100) == Bounds(50, 150 / 4, 250 / 4, 1)


def test_without_any_value_the_bounds_are_the_range():
    found = bounds(np.full((1, 3), np.nan), 1, 10)
    assert np.isnan(found.complete) and (found.low, found.high, found.missing) == (1, 10, 3)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_the_mean_that_would_have_been_is_within_the_bounds(items):
    whole = np.array([value for value, _ in items])
    seen = np.where([there for _, there in items], whole, np.nan)
    found = bounds(seen[None], 0, 1)
    assert found.low - 1e-9 <= whole.mean() <= found.high + 1e-9
