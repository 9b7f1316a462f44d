"""Item rows as dense arrays: one column of a table, method by seed by item."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

#: (method, seed) -> item -> value, None where it is missing.
ByRun = Mapping[tuple[str, int], Mapping[str, float | None]]


@dataclass(frozen=True)
class Scores:
    """values: (methods, seeds, items) in the metric's unit, NaN where missing.

    Seeds stand in each method's own order, since no two methods share one; a method with fewer
    than the others has NaN in the last places. items: names, sorted.
    """

    methods: tuple[str, ...]
    items: tuple[str, ...]
    values: np.ndarray

    @property
    def runs(self) -> np.ndarray:
        """(methods, seeds): which runs there are, those with a value anywhere."""
        return ~np.isnan(self.values).all(axis=-1)


def by_run(rows: Iterable[Mapping[str, Any]], metric: str) -> ByRun:
    """Values of one metric from `rows.ITEM` dicts of one benchmark; an item asked over several
    turns has their mean, and none where a turn is missing."""
    found: dict[tuple[str, int], dict[str, list[float | None]]] = {}
    for row in rows:
        if row["metric"] == metric:
            items = found.setdefault((row["method"], row["seed"]), {})
            items.setdefault(row["item"], []).append(row["value"])
    return {run: {name: whole(v) for name, v in items.items()} for run, items in found.items()}


def whole(values: Sequence[float | None]) -> float | None:
    """The mean, None where one is missing."""
    return None if None in values else fmean(values)


def dense(values: ByRun, methods: Sequence[str]) -> Scores:
    """The runs of `methods` as an array; a method without any has NaN only."""
    names = sorted({item for items in values.values() for item in items})
    own = {name: sorted(seed for method, seed in values if method == name) for name in methods}
    most = max(map(len, own.values()), default=0)
    array = np.full((len(methods), most, len(names)), np.nan)
    for place, method in enumerate(methods):
        for number, seed in enumerate(own[method]):
            items = values[method, seed]
            row = [items.get(name) for name in names]
            array[place, number] = np.asarray(row, dtype=float)
    return Scores(tuple(methods), tuple(names), array)


def shared(scores: Scores) -> Scores:
    """Only the items that every run has, so that all runs are compared on the same ones."""
    there = ~np.isnan(scores.values)
    keep = (there | ~scores.runs[..., None]).all(axis=(0, 1))
    names = tuple(name for name, kept in zip(scores.items, keep, strict=True) if kept)
    return Scores(scores.methods, names, scores.values[..., keep])
