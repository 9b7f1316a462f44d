"""Intervals of places."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plumbline.stats.components import components
from plumbline.stats.places import above, average_place_interval, place_interval

SCORES = arrays(float, (4, 2, 5), elements=st.integers(0, 100).map(float))
#: b above a, c above a and b.
ORDER = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
NOTHING = np.zeros((3, 3), dtype=bool)


def test_places_by_hand():
    low, high = place_interval(ORDER)
    assert low.tolist() == high.tolist() == [3, 2, 1]
    low, high = place_interval(NOTHING)
    assert low.tolist() == [1, 1, 1] and high.tolist() == [3, 3, 3]


def test_where_less_is_better_the_transpose_turns_places_round():
    low, high = place_interval(ORDER.T)
    assert low.tolist() == high.tolist() == [1, 2, 3]


def test_average_places_are_means_over_columns():
    low, high = average_place_interval(np.stack([ORDER, NOTHING]))
    assert low.tolist() == [2, 1.5, 1] and high.tolist() == [3, 2.5, 2]


@given(SCORES, st.floats(0, 20))
def test_the_place_of_the_means_that_were_seen_is_always_in_the_interval(values, limit):
    found = components(values)
    low, high = place_interval(above(found, np.float64(limit)))
    seen = 1 + (found.means[None, :] > found.means[:, None] + 1e-9).sum(axis=1)
    assert (low <= seen).all() and (seen <= high).all()


@given(SCORES, st.floats(0, 20))
def test_a_wider_limit_never_narrows_an_interval(values, limit):
    found = components(values)
    narrow = place_interval(above(found, np.float64(limit)))
    wide = place_interval(above(found, np.float64(limit + 1)))
    assert (wide[0] <= narrow[0]).all() and (wide[1] >= narrow[1]).all()
