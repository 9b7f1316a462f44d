"""How far a judge can be trusted: its liking for a place, its agreement with itself, and with the
verdicts that another judge has left on record.

A verdict is P(what was shown second wins) in [0, 1] for a comparison, or a grade. Cases come from
the benchmarks, which make their own requests, with the model's answer second, and read their own
verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from plumbline.contracts import Judge
from plumbline.judge.client import Reply, ask_all

Row = dict[str, Any]
#: Where a comparison's verdict changes sides.
EVEN = 0.5


def evenly(cases: Sequence[Any], limit: int) -> list[Any]:
    """At most `limit` cases, evenly from all: files have their items in order of subjects."""
    size = min(limit, len(cases))
    return [cases[index * len(cases) // size] for index in range(size)]


def audit(
    judge: Judge,
    cases: Sequence[Row],
    read: Callable[[Reply], float | None],
    draws: int,
    workers: int,
) -> Row:
    """A judge's figures on recorded cases.

    cases: {"request", "swapped", "recorded"}; swapped is None where there is nothing to exchange.
    draws: answers asked for each request. All figures are None where too few verdicts came.
    """
    requests = [case["request"] | {"draw": draw} for case in cases for draw in range(draws)]
    swapped = [case["swapped"] for case in cases if case["swapped"]]
    verdicts = [read(reply) for reply in ask_all(judge, requests, workers=workers)]
    turned = [_other_side(read(reply)) for reply in ask_all(judge, swapped, workers=workers)]
    each = [verdicts[start : start + draws] for start in range(0, len(verdicts), draws)]
    first = [several[0] for several in each]
    pairs = _known(first, [case["recorded"] for case in cases])
    compares = len(swapped) == len(cases)
    return {
        "cases": len(cases),
        "judged": len(pairs),
        "draws": draws,
        "self_agreement": self_agreement(each, compares),
        **(position_bias(_known(first, turned)) if compares else {}),
        **(side_agreement(pairs) if compares else grade_agreement(pairs)),
    }


def _other_side(verdict: float | None) -> float | None:
    """P(what was shown first wins): in a swapped comparison that is the model's answer."""
    return None if verdict is None else 1.0 - verdict


def _known(one: Sequence[float | None], other: Sequence[float | None]) -> list[tuple]:
    """The pairs of which both are there."""
    pairs = zip(one, other, strict=True)
    return [pair for pair in pairs if None not in pair]


def position_bias(pairs: Sequence[tuple[float, float]]) -> Row:
    """From P(the same answer wins) in both orders: shown second, then shown first.

    same_winner: share whose winner is the same. first_place: by how much, in [-0.5, 0.5], what is
    shown first wins more than half on average.
    """
    if not pairs:
        return {"same_winner": None, "first_place": None}
    return {
        "same_winner": fmean((one > EVEN) == (other > EVEN) for one, other in pairs),
        "first_place": fmean((other - one) / 2 for one, other in pairs),
    }


def self_agreement(draws: Sequence[Sequence[float | None]], compares: bool) -> float | None:
    """Share of two draws of one request that agree: in their winner, or in their grade."""
    same = [
        (one > EVEN) == (other > EVEN) if compares else one == other
        for several in draws
        for one, other in combinations([item for item in several if item is not None], 2)
    ]
    return fmean(same) if same else None


def side_agreement(pairs: Sequence[tuple[float, float]]) -> Row:
    """Agreement in the winner with the record, as a share with its 95 % Wilson interval, and as
    Cohen's kappa. Recorded draws do not count."""
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.proportion import proportion_confint

    sides = [(one > EVEN, other > EVEN) for one, other in pairs if other != EVEN]
    if not sides:
        return {"agreement": None, "interval": None, "kappa": None}
    agreed = sum(one == other for one, other in sides)
    ours, theirs = zip(*sides, strict=True)
    kappa = float(cohen_kappa_score(ours, theirs))
    return {
        "agreement": agreed / len(sides),
        "interval": list(map(float, proportion_confint(agreed, len(sides), method="wilson"))),
        "kappa": kappa if kappa == kappa else None,
    }


def grade_agreement(pairs: Sequence[tuple[float, float]]) -> Row:
    """Agreement of grades with the record: share that is equal, mean absolute and mean difference,
    Spearman's rank correlation."""
    from scipy.stats import spearmanr

    if len(pairs) < 3:
        return dict.fromkeys(["equal", "mean_error", "mean_difference", "spearman"])
    rank = float(spearmanr(*zip(*pairs, strict=True)).statistic)
    return {
        "equal": fmean(one == other for one, other in pairs),
        "mean_error": fmean(abs(one - other) for one, other in pairs),
        "mean_difference": fmean(one - other for one, other in pairs),
        "spearman": rank if rank == rank else None,
    }
