"""The bootstrap over items, and what else seeds might have given beside it."""

from collections.abc import Iterator, Sequence

import numpy as np

from plumbline.stats.components import components, pooled

#: Resamples that are counted at a time: a few megabytes, whatever their number.
AT_ONCE = 500


def bootstrap_means(
    scores: np.ndarray, resamples: int, generator: np.random.Generator
) -> np.ndarray:
    """(resamples, rows): each row's mean over items drawn anew, the same ones for all rows.

    scores: (rows, n). How often each item was drawn is a multinomial count, so a resample is one
    row of a product of matrices.
    """
    means = [counts @ scores.T for counts in item_counts(scores.shape[-1], resamples, generator)]
    return np.concatenate(means) / scores.shape[-1]


def item_counts(items: int, resamples: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Counts of the drawn items, (`AT_ONCE` or fewer, items) at a time; a row adds up to items."""
    for start in range(0, resamples, AT_ONCE):
        rows = min(AT_ONCE, resamples - start)
        drawn = generator.integers(items, size=(rows, items), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * items
        counts = np.bincount(drawn.ravel(), minlength=rows * items)
        yield counts.reshape(rows, items).astype(np.float32)


def seed_noise(
    columns: Sequence[np.ndarray], draws: int, generator: np.random.Generator
) -> np.ndarray:
    """(draws, M, C): what other seeds would have added to the methods' means.

    columns: scores (M, S, n), of the same runs. All methods vary alike. Runs go up and down in
    several columns together, so whole runs' deviations are mixed, with normal weights; few of them
    make the size of the noise uncertain, so it has Student's tails. The items' noise, which run
    means hold too, is taken off. A method of one seed has none.
    """
    found = [components(column) for column in columns]
    between, rest, freedom = (np.array(each) for each in zip(*map(pooled, found), strict=True))
    seeds, freedom = found[0].seeds, freedom[0]
    if freedom == 0:
        return np.zeros((draws, len(seeds), len(columns)))
    noise = rest / [each.items for each in found]
    left = 1 - np.divide(noise, between, out=np.ones_like(noise), where=between > noise)
    runs = np.stack([column.mean(axis=-1) for column in columns], axis=-1)
    deviations = runs - np.nanmean(runs, axis=1, keepdims=True)
    deviations = np.nan_to_num(deviations).reshape(-1, len(columns)) * np.sqrt(left)
    mixed = generator.standard_normal((draws, len(seeds), len(deviations))) @ deviations
    tails = generator.chisquare(freedom, (draws, 1, 1))
    return mixed / np.sqrt(tails) * np.where(seeds > 1, seeds**-0.5, 0)[:, None]


def table_draws(
    columns: Sequence[np.ndarray],
    same_items: Sequence[int],
    draws: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """(draws, M, C): the methods' means as they might have come out, over items and seeds.

    columns: scores (M, S, n) of the same runs. same_items: for each column a number; columns with
    the same one are numbers about the same items, which are drawn for them together.
    """
    result = np.empty((draws, len(columns[0]), len(columns)))
    for block in sorted(set(same_items)):
        members = [place for place, each in enumerate(same_items) if each == block]
        rows = np.concatenate([np.nanmean(columns[place], axis=1) for place in members])
        means = bootstrap_means(rows, draws, generator)
        result[..., members] = np.moveaxis(means.reshape(draws, len(members), -1), 1, 2)
    return result + seed_noise(columns, draws, generator)
