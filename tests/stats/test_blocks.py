"""Friedman and Nemenyi, against the worked example of their paper for machine learning."""

import numpy as np
import pytest

from plumbline.stats.blocks import block_costs, critical_difference, friedman

#: Source: J. Demsar, JMLR 7 (2006), table 6: AUC of C4.5, +m, +cf and +m+cf on 14 data sets.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_friedman_by_the_papers_example():
    """Source: the same, section 3.2.2 for mean places 3.143, 2.000, 2.893, 1.964, and 1.25 for the
    critical difference. Its chi-squared of 9.28 is without a correction for ties; scipy's has one.
    """
    found = friedman(-AUC)
    assert found.mean_places == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=1e-3)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert 9.28 <= found.statistic < 10.5 and found.p < 0.05


def test_nemenyis_quantiles_are_the_printed_ones():
    """Source: the same, table 5(a): q at 0.05 for 2, 6 and 10 methods."""
    quantiles = {2: 1.960, 6: 2.850, 10: 3.164}
    for methods, printed in quantiles.items():
        scale = np.sqrt(methods * (methods + 1) / (6 * 8))
        assert critical_difference(methods, 8) / scale == pytest.approx(printed, abs=2e-3)


def test_two_columns_of_a_block_are_one():
    places = np.array([[1.0, 2, 3], [2, 1, 3], [3, 2, 1]])
    assert block_costs(places, ["x", "x", "y"]).tolist() == [[1.5, 1.5, 3], [3, 2, 1]]


def test_methods_that_are_level_everywhere_do_not_differ():
    found = friedman(np.ones((2, 3)))
    assert (found.statistic, found.p) == (0, 1)
    assert found.mean_places.tolist() == [2, 2, 2]
