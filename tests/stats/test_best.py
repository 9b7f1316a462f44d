"""Probabilities of being best, by hand."""

import numpy as np

from plumbline.stats.best import average_places, probability_best

#: Two draws of three methods in two columns.
DRAWS = np.array([[[9, 1], [8, 2], [7, 3]], [[9, 1], [9, 2], [7, 3]]], dtype=float)


def test_average_places_by_hand():
    """Second draw, first column: 9, 9, 7 are places 1, 1, 3, or 1.5, 1.5, 3."""
    up = np.array([True, False])
    assert average_places(DRAWS, up, "min").tolist() == [[1, 2, 3], [1, 1.5, 3]]
    assert average_places(DRAWS, up, "average").tolist() == [[1, 2, 3], [1.25, 1.75, 3]]


def test_level_methods_share_a_draw():
    assert probability_best(np.array([[1, 1, 2], [1, 3, 2.0]])).tolist() == [0.75, 0.25, 0]
