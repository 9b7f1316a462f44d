"""A quantity against the training step, over seeds."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Curve:
    """Mean, least and greatest over seeds at each step; all four lists have one length."""

    steps: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def curve(by_seed: Iterable[dict[int, float]]) -> Curve:
    """The curve of several seeds, each {step: value}.

    Only steps that every seed has: a mean that loses a diverged seed on the way would jump.
    """
    by_seed = list(by_seed)
    steps = sorted(set.intersection(*(set(seed) for seed in by_seed))) if by_seed else []
    columns = [[seed[step] for seed in by_seed] for step in steps]
    return Curve(
        steps,
        [statistics.fmean(column) for column in columns],
        [min(column) for column in columns],
        [max(column) for column in columns],
    )


def series(rows: Iterable[dict[str, Any]], *, split: str, metric: str) -> list[dict[int, float]]:
    """{step: value} for each seed of one run, without values that are not finite."""
    by_seed: dict[int, dict[int, float]] = {}
    for row in rows:
        if (row["split"], row["metric"]) == (split, metric):
            seed = by_seed.setdefault(row["seed"], {})
            if row["value"] is not None and math.isfinite(row["value"]):
                seed[row["step"]] = row["value"]
    return list(by_seed.values())


def from_start(by_seed: Iterable[dict[int, float]]) -> list[dict[int, float]]:
    """Each seed's change since its own first evaluation."""
    return [
        {step: value - seed[min(seed)] for step, value in seed.items()} for seed in by_seed if seed
    ]
