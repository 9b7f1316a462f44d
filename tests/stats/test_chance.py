"""The largest difference by chance."""

import numpy as np
import pytest
from scipy import stats

from plumbline.stats.chance import largest, largest_by_chance, largest_seen, limit, p_value
from plumbline.stats.components import components


def tournament(seeds: int, items: int, seed_sd: float, methods: int = 5, seed: int = 0):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(methods, seeds, items))
    return values + seed_sd * draw.normal(size=(methods, seeds, 1))


def test_the_largest_ratio_by_hand():
    gaps, errors = np.array([[1.0, -6, 0], [0, 0, 0]]), np.array([[1.0, 2, 0], [0, 0, 0]])
    assert largest(gaps, errors).tolist() == [3, 0]


def test_where_seeds_are_all_the_limit_is_tukeys():
    """Source: scipy's studentized range of 5 methods with 5 (4 - 1) degrees of freedom."""
    found = components(tournament(4, 50, seed_sd=100.0))
    ours = limit(largest_by_chance([found], 20_000, np.random.default_rng(0)))
    tukey = stats.studentized_range.ppf(0.95, 5, 15) / np.sqrt(2)
    assert ours == pytest.approx(tukey, rel=0.02)


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
