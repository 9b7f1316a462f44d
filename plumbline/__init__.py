"""Plumbline: a benchmark suite and reproducibility harness for preference optimization.

The names exported here are all that a file in `losses/` or `benchmarks/` needs.
"""

from plumbline.batches import Completions, Lists, Pairs, Singles
from plumbline.contracts import (
    Data,
    Fraction,
    Judge,
    Metric,
    Model,
    NonNegative,
    Positive,
    Real,
    Responses,
    Samples,
    benchmark,
    method,
)

__version__ = "0.1.0"

#: Raised whenever the engine may give other numbers for the same config: reruns all training.
ENGINE = 2

__all__ = [
    "Completions",
    "Data",
    "Fraction",
    "Judge",
    "Lists",
    "Metric",
    "Model",
    "NonNegative",
    "Pairs",
    "Positive",
    "Real",
    "Responses",
    "Samples",
    "Singles",
    "benchmark",
    "method",
]
