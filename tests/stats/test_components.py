"""Mean squares of a two-way layout, against statsmodels' analysis of variance and by hand."""

import numpy as np
import pandas
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from plumbline.stats.components import components, pooled


def scores(methods=3, seeds=4, items=7):
    return np.random.default_rng(0).normal(size=(methods, seeds, items)).cumsum(axis=1)


def test_mean_squares_are_those_of_an_analysis_of_variance():
    """Source: statsmodels' anova_lm of score ~ seed + item, one method at a time."""
    values = scores()
    found = components(values)
    for own, between, rest, covariance in zip(
        values, found.between, found.rest, np.diag(found.covariance), strict=True
    ):
        seed, item = np.indices(own.shape)
        frame = pandas.DataFrame({"y": own.ravel(), "seed": seed.ravel(), "item": item.ravel()})
        table = anova_lm(ols("y ~ C(seed) + C(item)", frame).fit())["mean_sq"]
        assert between * 7 == pytest.approx(table["C(seed)"])
        assert covariance * 4 == pytest.approx(table["C(item)"])
        assert rest == pytest.approx(table["Residual"])


def test_a_method_of_fewer_seeds_is_as_if_alone():
    values = scores()
    values[1, 2:] = np.nan
    found, alone = components(values), components(values[1:2, :2])
    assert found.seeds.tolist() == [4, 2, 4]
    assert found.means[1] == pytest.approx(alone.means[0])
    assert found.between[1] == pytest.approx(alone.between[0])
    assert found.rest[1] == pytest.approx(alone.rest[0])
    assert found.covariance[1, 1] == pytest.approx(alone.covariance[0, 0])


def test_one_seed_has_no_seed_variance():
    found = components(scores(seeds=1))
    assert found.between.tolist() == found.rest.tolist() == [0, 0, 0]
    assert pooled(found)[2] == 0


def test_pooled_variance_weighs_by_degrees_of_freedom():
    """By hand: run means 0, 2 and 0, 3, 6 have variances 2 and 9; (1 * 2 + 2 * 9) / 3."""
    values = np.array([[[0.0, 0], [2, 2], [np.nan, np.nan]], [[0.0, 0], [3, 3], [6, 6]]])
    between, rest, freedom = pooled(components(values))
    assert (between, rest, freedom) == (pytest.approx(20 / 3), 0, 3)


def test_tournaments_are_taken_side_by_side():
    values = np.stack([scores(), 2 * scores()])
    both, second = components(values), components(values[1])
    np.testing.assert_allclose(both.between[1], second.between)
    np.testing.assert_allclose(both.covariance[1], second.covariance)
