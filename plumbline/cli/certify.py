"""Claims held against runs, printed as a table or as JSON; and what the claims give away alone."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from plumbline import config
from plumbline.errors import ClaimError, ComparisonError, ConfigError
from plumbline.operate import claims as claims_file
from plumbline.operate.certify import Finding, certify, most_telling
from plumbline.operate.claims import Claims
from plumbline.operate.grim import Recomputed, Suspect, recomputed, suspects
from plumbline.operate.measured import Number, of_experiment, of_tables
from plumbline.report.terminal import printed

STYLES = {
    "reproduced": "green",
    "within noise": "cyan",
    "not reproduced": "bold red",
    "not comparable": "yellow",
}


def run(path: Path, runs: Sequence[Path], grim: bool, as_json: bool) -> None:
    """Print what became of each claim. Raises ClaimError for a claim that did not come out as it
    should, ComparisonError where some could not be compared."""
    if not runs and not grim:
        raise ConfigError("certify: nothing to hold the claims against; give --run, --grim or both")
    claims = claims_file.read(path)
    findings = most_telling([certify(claims, numbers_of(item, claims)) for item in runs])
    odd, again = (suspects(claims), list(recomputed(claims))) if grim else ([], [])
    if as_json:
        print(as_text(claims, runs, findings, odd, again))
    else:
        parts = [findings_table(claims, findings)] if runs else []
        parts += [suspects_table(odd), recomputed_table(again)] if grim else []
        print(printed(*parts), end="")
    judge(findings)


def numbers_of(run: Path, claims: Claims) -> Iterator[Number]:
    """Those of an experiment file, or of a CSV file or a folder of them."""
    if run.is_dir() or run.suffix == ".csv":
        return of_tables(run, claims)
    return of_experiment(config.read(run), claims)


def judge(findings: Sequence[Finding]) -> None:
    """Say in one line how many claims came out how, and raise the error that this is, if any."""
    counts = Counter(finding.verdict for finding in findings)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in STYLES if counts[verdict])
    if wrong := [finding.what for finding in findings if finding.contradicted]:
        raise ClaimError(f"{summary}. Other than expected: {'; '.join(wrong)}. See docs/certify.md")
    if counts["not comparable"]:
        raise ComparisonError(f"{summary}. The reasons stand beside them; see docs/certify.md")
    if summary:
        print(f"{summary}.", file=sys.stderr)


def findings_table(claims: Claims, findings: Sequence[Finding]) -> Table:
    """One line for each claim."""
    table = blank(f"{claims.claims}: {claims.source}, z = {claims.z:g}")
    for head in ("where", "claim"):
        table.add_column(head, overflow="fold")
    for head in ("stated", "found", "difference", "noise"):
        table.add_column(head, justify="right")
    table.add_column("verdict")
    table.add_column("why", overflow="fold")
    for item in findings:
        numbers = (item.found, item.difference, item.noise)
        texts = [number_text(value, item.digits + 1) for value in numbers]
        cells = [item.where, item.what, number_text(item.stated, item.digits), *texts]
        table.add_row(*map(Text, cells), verdict_text(item), Text(item.reason))
    return table


def verdict_text(finding: Finding) -> Text:
    """The verdict in its colour; a control says that it should fail."""
    expected = "" if finding.expect == "reproduced" else f" (expected: {finding.expect})"
    style = "bold red" if finding.contradicted else STYLES[finding.verdict]
    if finding.expect == "not reproduced" and not finding.contradicted:
        style = "yellow" if finding.verdict == "not comparable" else "green"
    return Text(finding.verdict + expected, style=style)


def number_text(value: float | None, digits: int) -> str:
    """A dash for none. What is found has a decimal more than what is printed."""
    return "–" if value is None else f"{value:.{digits}f}"


def suspects_table(odd: Sequence[Suspect]) -> Table:
    """Printed percentages that no count gives."""
    table = blank("Printed percentages that no count of n items gives")
    for head in ("where", "cell", "printed", "n", "nearest below", "nearest above"):
        table.add_column(head, justify="left" if head in ("where", "cell") else "right")
    for item in odd:
        near = [number_text(value, item.digits + 1) for value in (item.below, item.above)]
        cells = (item.where, item.what, number_text(item.printed, item.digits), str(item.n), *near)
        table.add_row(*map(Text, cells))
    return table


def recomputed_table(again: Sequence[Recomputed]) -> Table:
    """Ranks and means as printed and as they follow from the printed numbers."""
    table = blank("Printed ranks and means, recomputed from the printed numbers")
    for head in ("where", "cell", "printed", "recomputed", ""):
        table.add_column(head, justify="right" if "p" in head else "left")
    for item in again:
        style = "green" if item.agrees else "bold red"
        verdict = Text("agrees" if item.agrees else "differs", style=style)
        numbers = (number_text(item.printed, item.digits), f"{item.recomputed:.3f}")
        table.add_row(*map(Text, (item.where, item.what, *numbers)), verdict)
    return table


def blank(title: str) -> Table:
    """A table without rows."""
    return Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)


def as_text(
    claims: Claims,
    runs: Sequence[Path],
    findings: Sequence[Finding],
    odd: Sequence[Suspect],
    again: Sequence[Recomputed],
) -> str:
    """Everything as JSON."""
    found: dict[str, Any] = {
        "claims": claims.claims,
        "source": claims.source,
        "z": claims.z,
        "runs": [str(run) for run in runs],
        "findings": [asdict(item) | {"difference": item.difference} for item in findings],
        "suspects": [asdict(item) for item in odd],
        "recomputed": [asdict(item) for item in again],
    }
    return json.dumps(found, indent=2, ensure_ascii=False)
