"""The largest difference by chance."""

import numpy as np
import pytest
from scipy import stats

from plumbline.stats.chance import (
    largest_by_chance,
    largest_seen,
    limit,
    normal_deviate,
    p_value,
    pair_spreads,
)
from plumbline.stats.components import components


def tournament(seeds: int, items: int, seed_sd: float, methods: int = 5, seed: int = 0):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(methods, seeds, items))
    return values + seed_sd * draw.normal(size=(methods, seeds, 1))


@pytest.mark.parametrize("freedom", [3, 6, 20, np.inf])
def test_deviates_are_as_improbable_as_their_t(freedom):
    """Source: scipy's t and normal distributions."""
    t = np.array([-3.0, 0.5, 1, 2, 5])
    exact = stats.norm.isf(stats.t.sf(np.abs(t), freedom)) * np.sign(t)
    ours = normal_deviate(2 * t, np.full(5, 2.0), np.full(5, freedom))
    np.testing.assert_allclose(ours, exact, rtol=0.012)


def test_nothing_over_nothing_is_nothing_and_something_is_without_bound():
    gaps, zero = np.array([0.0, 1e-12, -1.0]), np.zeros(3)
    assert normal_deviate(gaps, zero, zero + np.inf).tolist() == [0, 0, -np.inf]


def test_spreads_of_pairs_are_those_of_samples():
    """Source: numpy's multivariate normal, 30 items drawn 4000 times."""
    draw = np.random.default_rng(0)
    covariance = np.array([[4.0, 1, 0], [1, 2, 0.5], [0, 0.5, 1]])
    root = np.linalg.cholesky(covariance / 30)
    ours = pair_spreads(root, 30, (4000, 3), draw)
    samples = draw.multivariate_normal(np.zeros(3), covariance, (4000, 30))
    theirs = np.stack(
        [
            (samples[..., a] - samples[..., b]).var(axis=1, ddof=1)
            for a, b in ((0, 1), (0, 2), (1, 2))
        ],
        axis=-1,
    )
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), rtol=0.03)
    np.testing.assert_allclose(np.cov(ours.T), np.cov(theirs.T), atol=0.2)


def test_fewer_items_than_methods_have_a_spread_too():
    """Two items have one degree of freedom: a difference's variance is a chi-squared's."""
    spreads = pair_spreads(np.eye(4) / np.sqrt(2), 2, (4000, 4), np.random.default_rng(0))
    assert spreads.mean() == pytest.approx(2, rel=0.1)
    assert spreads.var() == pytest.approx(8, rel=0.2)


def test_where_seeds_are_all_the_limit_is_tukeys():
    """Source: scipy's studentized range of 5 methods with 5 (4 - 1) degrees of freedom."""
    found = components(tournament(4, 50, seed_sd=100.0))
    ours = limit(largest_by_chance([found], 20_000, np.random.default_rng(0)))
    tukey = stats.studentized_range.ppf(0.95, 5, 15) / np.sqrt(2)
    assert ours == pytest.approx(stats.norm.isf(stats.t.sf(tukey, 15)), rel=0.02)


def test_with_one_seed_and_many_items_the_limit_is_that_of_a_normal_range():
    """Source: scipy's studentized range with infinite degrees of freedom."""
    found = components(tournament(1, 4000, seed_sd=0.0))
    ours = limit(largest_by_chance([found], 20_000, np.random.default_rng(0)))
    tukey = stats.studentized_range.ppf(0.95, 5, np.inf) / np.sqrt(2)
    assert ours == pytest.approx(tukey, rel=0.02)


def test_more_columns_ask_for_more():
    found = [components(tournament(3, 40, 0.3, seed=seed)) for seed in range(6)]
    limits = [limit(largest_by_chance(found[:n], 2000, np.random.default_rng(0))) for n in (1, 6)]
    assert limits[0] < limits[1]


def test_the_p_value_counts_what_was_seen_among_the_draws():
    draws = np.array([1.0, 2.0, 3.0])
    assert p_value(2.5, draws) == 2 / 4
    assert p_value(9.0, draws) == 1 / 4


def test_the_limit_is_the_value_that_five_draws_in_a_hundred_and_one_exceed():
    assert limit(np.arange(99.0)) == 94
    assert limit(np.arange(3.0)) == 2


def test_a_method_that_stands_out_is_found():
    values = tournament(3, 100, 0.1)
    values[2] += 2
    found = [components(values)]
    assert (
        p_value(largest_seen(found), largest_by_chance(found, 999, np.random.default_rng(0))) < 0.01
    )


def test_tournaments_are_drawn_side_by_side():
    both = components(np.stack([tournament(3, 40, 0.0), tournament(3, 40, 9.0)]))
    draws = largest_by_chance([both], 4000, np.random.default_rng(0))
    assert draws.shape == (4000, 2)
    alone = largest_by_chance([components(tournament(3, 40, 9.0))], 4000, np.random.default_rng(0))
    assert limit(draws)[1] == pytest.approx(limit(alone), rel=0.05)
