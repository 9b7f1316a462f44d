"""Choices that were tried and rejected, kept so that their figures can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from plumbline.stats.chance import largest_by_chance, largest_seen, p_value
from plumbline.stats.components import Components, pooled
from plumbline.stats.intervals import (
    Interval,
    Part,
    gaps,
    interval,
    own_part,
    paired_variance,
    satterthwaite,
)


def cut_differences(found: Components) -> Interval:
    """The seeds' variance cut below at the noise that items leave in a run's mean."""
    own = own_part(found)
    each = (np.maximum(own.seeds, own.noise / found.items), own.noise, own.freedom)
    pair = [Part(*(x[..., :, None] for x in each)), Part(*(x[..., None, :] for x in each))]
    return interval(gaps(found), paired_variance(found), pair, found.items, 0.95)


def percentile_differences(
    scores: np.ndarray, resamples: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(T, M, M) ends of the percentile bootstrap over seeds and items of one benchmark."""
    count, methods, seeds, items = scores.shape
    means = []
    for _ in range(resamples):
        asked = generator.multinomial(items, np.full(items, 1 / items)) / items
        runs = generator.integers(seeds, size=(1, methods, seeds)).repeat(count, axis=0)
        means.append(np.take_along_axis(scores @ asked, runs, axis=-1).mean(axis=-1))
    drawn = np.stack(means)
    apart = drawn[..., :, None] - drawn[..., None, :]
    return tuple(np.quantile(apart, [0.025, 0.975], axis=0))


def permutation_p(
    columns: Sequence[np.ndarray], draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(T,): p-value of dealing methods' names out to runs anew; the statistic is the sum over
    columns of the variance of method means, each over that of all runs."""
    seen = 0.0
    count, methods, seeds, _ = columns[0].shape
    order = np.tile(np.arange(methods * seeds), (draws, 1))
    order = np.vstack([order[:1], generator.permuted(order, axis=1)])
    for scores in columns:
        runs = scores.mean(axis=-1).reshape(count, -1)
        dealt = runs[:, order].reshape(count, draws + 1, methods, seeds).mean(axis=-1)
        whole = np.maximum(runs.var(axis=-1), 1e-12)[:, None]
        seen = seen + dealt.var(axis=-1) / whole
    return (seen >= seen[:, :1] * (1 - 1e-9)).mean(axis=1)


def as_observed_p(
    columns: Sequence[Components], draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(T,): the test as it is, but for the seeds' variance, which is drawn as it was observed."""
    lowered = []
    for found in columns:
        freedom = pooled(found)[2]
        factor = np.maximum(freedom - 2, 1) / freedom
        lowered.append(replace(found, between=found.between * factor[..., None]))
    return p_value(largest_seen(columns), largest_by_chance(lowered, draws, generator))


def quasi_f_p(columns: Sequence[Components]) -> np.ndarray:
    """(T,): the quasi-F test with Satterthwaite's degrees of freedom; of all columns, the least p
    by Sidak."""
    return 1 - (1 - np.min([_quasi_f(found) for found in columns], axis=0)) ** len(columns)


def _quasi_f(found: Components) -> np.ndarray:
    methods, seeds = found.means.shape[-1], found.seeds[..., 0]
    between, rest, freedom = pooled(found)
    own = np.trace(found.covariance, axis1=-2, axis2=-1)
    interaction = (own - methods * found.covariance.mean(axis=(-2, -1))) / (methods - 1)
    error = between / seeds + np.maximum(interaction - rest / seeds, 0) / found.items
    parts = [
        (between / seeds, freedom),
        (interaction / found.items, (methods - 1) * (found.items - 1)),
        (rest / seeds / found.items, freedom * (found.items - 1)),
    ]
    ratio = found.means.var(axis=-1, ddof=1) / error
    return stats.f.sf(ratio, methods - 1, satterthwaite(error, parts))
