"""t intervals with Satterthwaite's degrees of freedom."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from plumbline.stats.components import components
from plumbline.stats.intervals import alike_differences, differences, means

SCORES = arrays(float, (3, 2, 5), elements=st.integers(0, 100).map(float))


def test_one_seed_is_the_t_interval_of_its_items():
    """Source: scipy.stats.ttest_1samp."""
    values = np.random.default_rng(0).normal(size=(1, 1, 9))
    found = means(components(values))
    expected = stats.ttest_1samp(values[0, 0], 0).confidence_interval()
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected))


def test_two_methods_of_one_seed_are_the_paired_t_interval():
    """Source: scipy.stats.ttest_rel."""
    values = np.random.default_rng(0).normal(size=(2, 1, 9))
    found = differences(components(values))
    expected = stats.ttest_rel(values[0, 0], values[1, 0]).confidence_interval()
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx(tuple(expected))


def test_without_any_spread_over_items_it_is_welchs_interval_of_seeds():
    """Source: scipy.stats.ttest_ind with equal_var=False."""
    runs = np.random.default_rng(0).normal(size=(2, 4)) * [[1], [3]]
    found = differences(components(np.repeat(runs[..., None], 6, axis=2)))
    expected = stats.ttest_ind(runs[0], runs[1], equal_var=False)
    interval = expected.confidence_interval()
    assert found.freedom[0, 1] == pytest.approx(expected.df)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx(tuple(interval))


def test_alike_and_without_spread_over_items_it_is_students_interval_of_seeds():
    """Source: scipy.stats.ttest_ind with equal_var=True, for two methods."""
    runs = np.random.default_rng(0).normal(size=(2, 4))
    found = alike_differences(components(np.repeat(runs[..., None], 6, axis=2)))
    interval = stats.ttest_ind(runs[0], runs[1]).confidence_interval()
    assert found.freedom[0, 1] == pytest.approx(6)
    assert (found.low[0, 1], found.high[0, 1]) == pytest.approx(tuple(interval))


def test_the_variance_of_a_mean_by_hand():
    """Run means 1 and 3, item means 1.5 and 2.5; rest: corners +-0.5, so a mean square of 1.
    MS_seed 4, MS_item 1, MS_rest 1: (4 + 1 - 1) / 4 = 1. Degrees of freedom: the mean squares by
    their coefficient 1/4 are 1, 1/4 and 1/4, each with one: 1 / (1 + 1/16 + 1/16) = 8/9."""
    found = means(components(np.array([[[1.0, 1.0], [2.0, 4.0]]])))
    assert found.estimate[0] == 2
    assert found.error[0] == pytest.approx(1)
    assert found.freedom[0] == pytest.approx(8 / 9)


def test_variances_agree_with_a_mixed_model():
    """Source: statsmodels' MixedLM by REML with crossed seeds and items, which in a balanced layout
    has the analysis of variance's components where these are positive."""
    values = np.random.default_rng(3).normal(size=(1, 4, 12))
    values += np.array([-3.0, -1, 1, 3])[:, None] + np.linspace(-2, 2, 12)
    seed, item = np.indices(values[0].shape)
    frame = pandas.DataFrame({"y": values.ravel(), "seed": seed.ravel(), "item": item.ravel()})
    parts = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    model = MixedLM.from_formula("y ~ 1", frame, groups=np.ones(48), vc_formula=parts)
    found = means(components(values))
    assert found.error[0] == pytest.approx(model.fit().bse["Intercept"], rel=1e-3)


@given(SCORES)
def test_differences_are_antisymmetric_and_nothing_differs_from_itself(values):
    found = differences(components(values))
    np.testing.assert_allclose(found.low, -np.swapaxes(found.high, 0, 1), atol=1e-9)
    np.testing.assert_allclose(np.diag(found.estimate), 0)


@given(SCORES, st.integers(-50, 50))
def test_what_is_added_to_an_item_for_all_methods_changes_no_difference(values, shift):
    moved = values.copy()
    moved[..., 0] += shift
    one, other = differences(components(values)), differences(components(moved))
    np.testing.assert_allclose(one.low, other.low, atol=1e-6)


@given(SCORES)
def test_the_interval_holds_its_estimate_and_a_higher_level_holds_a_lower_one(values):
    found = components(values)
    narrow, wide = means(found, 0.8), means(found, 0.99)
    assert (wide.low <= narrow.low + 1e-12).all() and (narrow.low <= narrow.estimate).all()


def test_scores_that_never_differ_have_an_interval_without_width():
    found = means(components(np.full((1, 2, 4), 7.0)))
    assert (found.low[0], found.high[0], found.freedom[0]) == (7, 7, np.inf)
