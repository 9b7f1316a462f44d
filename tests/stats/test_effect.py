"""Effect sizes."""

import numpy as np
import pytest
from scipy import stats

from plumbline.stats.components import components
from plumbline.stats.effect import paired_effect, superiority


def test_the_paired_effect_is_t_over_the_root_of_the_items():
    """Source: scipy.stats.ttest_rel."""
    values = np.random.default_rng(0).normal(size=(2, 1, 16))
    t = stats.ttest_rel(values[0, 0], values[1, 0]).statistic
    assert paired_effect(components(values))[0, 1] == pytest.approx(t / 4)


def test_methods_that_agree_everywhere_have_no_effect():
    assert (paired_effect(components(np.ones((2, 1, 4)))) == 0).all()


def test_superiority_by_hand():
    """Items (2, 1) against (1, 1) and against (3, 0): win, tie; loss, win: 2.5 of 4."""
    one, other = np.array([[2.0, 1]]), np.array([[1.0, 1], [3, 0]])
    assert superiority(one, other) == 2.5 / 4
    assert superiority(other, one) == 1.5 / 4
