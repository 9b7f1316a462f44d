"""The bootstrap over items, and the noise of seeds beside it."""

import numpy as np
import pytest
from scipy import stats

from plumbline.stats.resampling import (
    AT_ONCE,
    bootstrap_means,
    item_counts,
    seed_noise,
    table_draws,
)


def generator():
    return np.random.default_rng(0)


def test_each_resample_draws_as_many_items_as_there_are():
    counts = list(item_counts(7, AT_ONCE + 3, generator()))
    assert [each.shape for each in counts] == [(AT_ONCE, 7), (3, 7)]
    assert (np.concatenate(counts).sum(axis=1) == 7).all()
    assert np.concatenate(counts).mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)


def test_means_and_errors_are_those_of_scipys_bootstrap():
    """Source: scipy.stats.bootstrap of the mean, which draws items as well."""
    scores = generator().exponential(size=60)
    theirs = stats.bootstrap([scores], np.mean, n_resamples=20_000, rng=generator())
    ours = bootstrap_means(scores[None], 20_000, generator())[:, 0]
    assert ours.mean() == pytest.approx(scores.mean(), abs=0.01)
    assert ours.std() == pytest.approx(theirs.standard_error, rel=0.03)


def test_rows_share_the_items_that_were_drawn():
    scores = generator().normal(size=(1, 30))
    means = bootstrap_means(np.concatenate([scores, scores + 5]), 50, generator())
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 5, rtol=1e-5)


def test_seed_noise_is_a_scaled_t_with_the_degrees_of_freedom_of_all_runs():
    """Source: scipy.stats.t with 4 (3 - 1) degrees of freedom, scale sqrt(variance / 3)."""
    runs = generator().normal(size=(4, 3))
    noise = seed_noise([np.repeat(runs[..., None], 5, axis=2)], 20_000, generator())
    scale = np.sqrt(runs.var(axis=1, ddof=1).mean() / 3)
    theirs = stats.t(8, scale=scale)
    assert np.quantile(noise[:, 0, 0], [0.05, 0.5, 0.95]) == pytest.approx(
        theirs.ppf([0.05, 0.5, 0.95]), abs=0.03
    )


def test_seed_noise_of_columns_that_rise_together_rises_together():
    runs = np.repeat(generator().normal(size=(4, 3))[..., None], 5, axis=2)
    noise = seed_noise([runs, 2 * runs], 10, generator())
    np.testing.assert_allclose(noise[..., 1], 2 * noise[..., 0])


def test_methods_of_one_seed_have_no_seed_noise():
    values = generator().normal(size=(3, 2, 5)) + 9 * generator().normal(size=(3, 2, 1))
    values[0, 1] = np.nan
    noise = seed_noise([values], 20, generator())
    assert (noise[:, 0] == 0).all() and (noise[:, 1:] != 0).all()
    assert (seed_noise([values[:, :1]], 20, generator()) == 0).all()


def test_columns_about_the_same_items_are_drawn_together():
    values = generator().normal(size=(2, 1, 40))
    together = table_draws([values, values + 1], [0, 0], 30, generator())
    np.testing.assert_allclose(together[..., 1] - together[..., 0], 1, rtol=1e-5)
    apart = table_draws([values, values + 1], [0, 1], 30, generator())
    assert np.ptp(apart[..., 1] - apart[..., 0]) > 0.1
