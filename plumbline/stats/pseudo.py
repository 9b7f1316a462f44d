"""Metrics that are no means of items, made means of pseudo-values: a one-step bootstrap.

An item's is n times the whole less n - 1 times the whole without it (J. W. Tukey, Annals of
Mathematical Statistics 29, 1958). Resampling these numbers is a bootstrap of the metric to first
order, without fitting it anew. A mean's are the items' own values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Summarise = Callable[[list[Row]], Iterable[Row]]


def pseudo_values(items: Sequence[Row], summarise: Summarise) -> dict[str, dict[str, float]]:
    """Metric -> item -> pseudo-value, for every metric that has a value with and without each item
    that it reads.

    items: `rows.ITEM` dicts of one run and benchmark. summarise: the benchmark's own; it is called
    once for each item. All rows of an item, such as its turns, leave together.
    """
    names = sorted({row["item"] for row in items})
    whole = values(summarise(list(items)))
    without = {
        name: values(summarise([row for row in items if row["item"] != name])) for name in names
    }
    found = {metric: jackknifed(value, metric, without) for metric, value in whole.items()}
    return {metric: each for metric, each in found.items() if each}


def values(rows: Iterable[Row]) -> dict[str, tuple[float, int]]:
    """Metric -> (value, items it was made of), without those that have none."""
    return {row["metric"]: (row["value"], row["n"]) for row in rows if row["value"] is not None}


def jackknifed(
    whole: tuple[float, int], metric: str, without: Mapping[str, Mapping[str, tuple[float, int]]]
) -> dict[str, float]:
    """Item -> pseudo-value; {} where the metric has no value without one of its items.

    An item without which the metric is made of just as many is none of its items.
    """
    value, count = whole
    if any(metric not in found for found in without.values()):
        return {}
    others = {name: found[metric][0] for name, found in without.items() if found[metric][1] < count}
    size = len(others)
    return {name: size * value - (size - 1) * other for name, other in others.items()}
