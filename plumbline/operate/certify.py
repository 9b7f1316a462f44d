"""Claims held against a run, one by one: docs/certify.md says what each verdict means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import Any, Literal

from plumbline.operate.claims import Claims, Expected, Inequality, Printed, rules_of
from plumbline.operate.estimates import Estimate, Missing, Place, Readings, minus
from plumbline.operate.measured import Number

Verdict = Literal["reproduced", "within noise", "not reproduced", "not comparable"]


@dataclass(frozen=True)
class Finding:
    """A claim and what became of it.

    where: it is printed; what: it says; stated: the printed number, or the bound, with `digits`
    decimals; found: the run's number, None for none; noise: one standard deviation of their
    difference, None where nothing is known of it; reason: why it is not comparable, or how an
    inequality holds; expect: the verdict it should get.
    """

    where: str
    what: str
    stated: float
    digits: int
    verdict: Verdict
    found: float | None = None
    noise: float | None = None
    reason: str = ""
    expect: Expected = "reproduced"

    @property
    def difference(self) -> float | None:
        """Found minus stated."""
        return None if self.found is None else self.found - self.stated

    @property
    def contradicted(self) -> bool:
        """Whether the claim got the verdict that it should not get."""
        bad = {"reproduced": ("not reproduced",), "not reproduced": ("reproduced", "within noise")}
        return self.verdict in bad.get(self.expect, ())


def certify(claims: Claims, numbers: Iterable[Number]) -> list[Finding]:
    """Every claim of a file against the numbers of one run, in the file's order."""
    readings = Readings(claims, numbers)
    found = [item for cell in claims.printed() for item in of_printed(readings, cell)]
    return found + [of_inequality(readings, item) for item in claims.inequalities]


def most_telling(by_run: Sequence[Sequence[Finding]]) -> list[Finding]:
    """Of each claim the finding of the first run that is comparable, else of the first that has a
    number, else of the first; a claim is never held against numbers of two runs at once."""

    def tells(finding: Finding) -> tuple[bool, bool]:
        return finding.verdict != "not comparable", finding.found is not None

    return [max(findings, key=tells) for findings in zip(*by_run, strict=True)]


def of_printed(readings: Readings, cell: Printed) -> Iterator[Finding]:
    """One printed number; a rank once for each of its rules, of which the first counts."""
    metric = readings.claims.metrics[cell.metric]
    place = Place(cell.setting, cell.method, cell.metric, cell.point, cell.table)
    for rule, words in rules_of(metric):
        common = {
            "where": cell.where,
            "what": cell.what + words,
            "stated": cell.value,
            "digits": metric.digits,
            "expect": "either" if rule else "reproduced",
        }
        try:
            estimate = readings.of(place, rule, cell.value)
        except Missing as gap:
            yield Finding(**common, verdict="not comparable", reason=str(gap))
            continue
        noise = noise_of_number(estimate)
        difference = estimate.value - cell.value
        close = max(metric.tolerance, half_unit(metric.digits))
        verdict = of_difference(difference, close, readings.claims.z * (noise or 0))
        yield compared(common, verdict, estimate, estimate.value, noise)


def compared(
    common: dict[str, Any], verdict: Verdict, estimate: Estimate, found: float, noise: float | None
) -> Finding:
    """A finding with its verdict, unless something stands against comparing."""
    against = "; ".join(estimate.obstacles)
    verdict = "not comparable" if against else verdict
    return Finding(**common, verdict=verdict, found=found, noise=noise, reason=against)


def half_unit(digits: int) -> float:
    """Half of the last printed decimal, and the last bits of a float."""
    return 0.5 * 10.0**-digits + 1e-9


def noise_of_number(estimate: Estimate) -> float | None:
    """One standard deviation of a run's number minus a printed one of one seed.

    Both are over the same items, whose standard error counts once. None where neither items nor
    seeds are known to make any.
    """
    if estimate.item is None and estimate.deviation == 0:
        return None
    return hypot(estimate.noise, estimate.deviation)


def of_difference(difference: float, close: float, far: float) -> Verdict:
    """The verdict on a number. close: what counts as equal; far: what counts as noise."""
    if abs(difference) <= close:
        return "reproduced"
    return "within noise" if abs(difference) <= far else "not reproduced"


def of_inequality(readings: Readings, claim: Inequality) -> Finding:
    """One claim in words."""
    common = {
        "where": claim.where,
        "what": claim.says,
        "stated": claim.below if claim.above is None else claim.above,
        "digits": readings.claims.metrics[claim.metric].digits,
        "expect": claim.expect,
    }
    try:
        estimate = side(readings, claim, claim.method, claim.point)
        if claim.minus:
            estimate = minus(estimate, side(readings, claim, claim.minus, claim.minus_point))
    except Missing as gap:
        return Finding(**common, verdict="not comparable", reason=str(gap))
    value, noise, words = hardest(claim, estimate)
    margin = claim.below - value if claim.above is None else value - claim.above
    verdict, how = of_margin(margin, noise, readings.claims.z)
    found = compared(common, verdict, estimate, value, noise)
    return replace(found, reason="; ".join(filter(None, (found.reason, how + words))))


def side(readings: Readings, claim: Inequality, method: str, point: str) -> Estimate:
    """What a run says of one side of an inequality."""
    return readings.of(Place(claim.setting, method, claim.metric, point))


def hardest(claim: Inequality, estimate: Estimate) -> tuple[float, float | None, str]:
    """(value, noise, words) that an inequality has to hold for: the mean over seeds, or the seed
    closest to breaking it, whose noise is that of items alone. Noise is None where not known."""
    if claim.seeds == "mean":
        known = estimate.item is not None or estimate.seed_error > 0
        return estimate.value, estimate.noise if known else None, ""
    pick = min if claim.below is None else max
    seed = pick(estimate.by_seed, key=lambda seed: estimate.by_seed[seed])
    count = len(estimate.by_seed)
    words = f"; of {count} seeds, seed {seed} is the closest" if count > 1 else ""
    return estimate.by_seed[seed], estimate.item, words


def of_margin(margin: float, noise: float | None, z: float) -> tuple[Verdict, str]:
    """The verdict on an inequality, and in its own words. margin: above 0 where it holds."""
    if margin < 0:
        return "not reproduced", "does not hold"
    if noise is None:
        return "reproduced", "holds, noise not known"
    if margin <= z * noise:
        return "within noise", "holds within noise"
    return "reproduced", "holds beyond noise"
