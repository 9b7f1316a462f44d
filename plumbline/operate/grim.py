"""What printed numbers give away by themselves: percentages that no count gives, ranks and averages
that do not follow from their rows.

The first is the GRIM test (Brown and Heathers, 2017, doi:10.1177/1948550616673876): the mean of n
whole numbers is k/n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from plumbline.operate.certify import half_unit
from plumbline.operate.claims import Claims, Measure, Printed, rules_of
from plumbline.operate.estimates import Place, Readings
from plumbline.operate.measured import Number


@dataclass(frozen=True)
class Suspect:
    """A printed percentage that no count of n items gives. below, above: the nearest that do."""

    where: str
    what: str
    printed: float
    digits: int
    n: int
    below: float
    above: float


@dataclass(frozen=True)
class Recomputed:
    """A rank or mean as printed, and as it follows from the printed numbers of its row or table."""

    where: str
    what: str
    printed: float
    digits: int
    recomputed: float
    agrees: bool


def counts(printed: float, n: int, digits: int) -> list[int]:
    """Every k of 0 to n for which 100 k/n is printed so, a tie rounded up or down.

    printed: a percentage of `digits` decimals.
    """
    exact, half = Fraction(str(printed)), Fraction(1, 2 * 10**digits)
    low, high = ceil((exact - half) * n / 100), floor((exact + half) * n / 100)
    return list(range(max(low, 0), min(high, n) + 1))


def suspects(claims: Claims) -> list[Suspect]:
    """The printed cells of kind `count` that no count gives, each once, wherever it is printed."""
    countable = [item for item in claims.measures().values() if item.kind == "count" and item.n]
    found: dict[tuple, list[Printed]] = {}
    for cell in claims.printed():
        metric = claims.metrics[cell.metric]
        if metric in countable and not counts(cell.value, metric.n, metric.digits):
            same = (cell.setting, cell.method, cell.point, cell.metric, cell.value)
            found.setdefault(same, []).append(cell)
    return [_suspect(claims, cells) for cells in found.values()]


def _suspect(claims: Claims, cells: list[Printed]) -> Suspect:
    first, where = cells[0], ", ".join(dict.fromkeys(cell.where for cell in cells))
    metric = claims.metrics[first.metric]
    k, n = floor(Fraction(str(first.value)) * metric.n / 100), metric.n
    near = (100 * k / n, 100 * (k + 1) / n)
    return Suspect(where, first.what, first.value, metric.digits, n, *near)


def recomputed(claims: Claims) -> Iterator[Recomputed]:
    """Every printed rank, by each of its rules, and every printed mean, from printed numbers."""
    readings = Readings(claims, printed_numbers(claims))
    for cell in claims.printed():
        metric = claims.metrics[cell.metric]
        rules = [] if isinstance(metric, Measure) else rules_of(metric)
        for rule, words in rules:
            place = Place(cell.setting, cell.method, cell.metric, cell.point, cell.table)
            value = readings.of(place, rule).value
            agrees = abs(value - cell.value) <= half_unit(metric.digits)
            what = cell.what + words
            yield Recomputed(cell.where, what, cell.value, metric.digits, value, agrees)


def printed_numbers(claims: Claims) -> Iterator[Number]:
    """The printed tables as a run."""
    for cell in claims.printed():
        who = (cell.setting, cell.method, cell.point, cell.metric)
        yield Number(*who, 0, cell.value, cell.table)
