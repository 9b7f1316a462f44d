"""How many items or seeds are needed."""

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from plumbline.stats.components import components
from plumbline.stats.power import needed


def test_with_one_seed_items_are_those_of_a_paired_test():
    """Source: statsmodels' NormalIndPower of one sample; the far tail that it counts is nothing."""
    values = np.random.default_rng(0).normal(size=(2, 1, 50))
    gap = values[0, 0] - values[1, 0]
    effect = abs(gap.mean()) / gap.std(ddof=1)
    theirs = NormalIndPower(ddof=0).solve_power(effect, power=0.8, alpha=0.05, ratio=0)
    assert needed(components(values)).items[0, 1] == np.ceil(theirs)


def test_seeds_by_hand():
    """Runs at 0, 2 and at 5, 7, the same at every item: variance 2 each, gap 5; (5 / 2.802)^2 is
    3.185, so 4 / 3.185 seeds, 2. No number of items helps with variance 2 at 2 seeds above it: it
    is 2, so they do, and one is enough, as items do not vary."""
    runs = np.array([[0.0, 2], [5, 7]])
    found = needed(components(np.repeat(runs[..., None], 4, axis=2)))
    assert found.seeds[0, 1] == 2
    assert found.items[0, 1] == 0


def test_where_items_leave_no_room_no_number_of_seeds_helps():
    values = np.random.default_rng(1).normal(size=(2, 1, 40)).repeat(3, axis=1)
    values += np.random.default_rng(2).normal(size=(2, 3, 1)) * 0.01
    assert needed(components(values)).seeds[0, 1] == np.inf


@pytest.mark.parametrize("part", ["items", "seeds"])
def test_equal_means_are_never_told_apart(part):
    values = np.array([[[1.0, 3], [2, 2]], [[3.0, 1], [2, 2]]])
    assert getattr(needed(components(values)), part)[0, 1] == np.inf
