"""What was measured as Markdown: medians, ranges, ratios, and each bound with what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

from bench.suite import LOOPS
from bench.works import WORKS

Row = Mapping[str, Any]
MARKED = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.S)
#: What the engine promised: (label, key of `ratios`, the most it may be).
BOUNDS = [
    ("CPU per step on (a), of TRL's", "a dpo cpu", 0.60),
    ("CPU per step on (b), of TRL's", "b dpo cpu", 0.33),
    ("CPU per step on (c), of TRL's", "c pro_s cpu", 0.30),
    ("Peak memory on (b), of TRL's", "b dpo peak", 0.40),
    ("PRO-P's step on (b), of DPO's", "b pro_p pro", 1.03),
    ("PRO-S's step on (b), of DPO's", "b pro_s pro", 1.03),
    ("PRO-B's step on (b), of DPO's", "b_apart pro_b pro", 1.03),
    ("The whole suite's CPU, of TRL's documented loop", "suite documented cpu", 0.35),
    ("Start of `plumbline methods`, `judge`, `aggregate`, `report`, wall seconds", "startup", 1.0),
]


def filled(page: str, text: str) -> str:
    """A page with what stands between its marks made anew."""
    return MARKED.sub(lambda marks: marks[1] + text.strip() + "\n" + marks[2], page)


def paired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of repeats that took turns: drift of the machine falls out."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def ratios(found: Mapping[str, Any]) -> dict[str, float]:
    """Every ratio that can be formed from what was measured, by the keys of `BOUNDS`."""
    pairs = {}
    for group in found.get("steps", []):
        theirs = [row for row in group if row["side"] == "theirs"]
        for row in (row for row in group if row["side"] == "ours" and theirs):
            pairs[f"{row['work']} {row['method']} cpu"] = paired(row["cpu"], theirs[0]["cpu"])
            pairs[f"{row['work']} {row['method']} wall"] = paired(row["wall"], theirs[0]["wall"])
    peaks = {
        (row["side"], row["work"], row["method"]): row["peak"] for row in found.get("memory", [])
    }
    for (side, work, method), peak in peaks.items():
        if side == "ours":
            pairs[f"{work} {method} peak"] = peak / peaks["theirs", work, method]
    dpo = {row["work"]: row for row in found.get("pro", []) if row["method"] == "dpo"}
    for row in found.get("pro", []):
        pairs[f"{row['work']} {row['method']} pro"] = paired(row["cpu"], dpo[row["work"]]["cpu"])
    if suite := found.get("suite"):
        for side, clock in product(LOOPS, ("cpu", "wall")):
            whole = _total(suite, "ours", clock) / _total(suite, side, clock)
            pairs[f"suite {side} {clock}"] = whole
    light = {"methods", "methods --help", "judge --help", "aggregate --help", "report --help"}
    starts = [median(row["wall"]) for row in found.get("startup", []) if row["command"] in light]
    return pairs | ({"startup": max(starts)} if starts else {})


def _total(rows: Iterable[Row], side: str, clock: str) -> float:
    return sum(row[clock] for row in rows if row["side"] == side)


def markdown(found: Mapping[str, Any], machine: Mapping[str, str]) -> str:
    """All tables. found: what `__main__` measured."""
    formed = ratios(found)
    parts = [
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
        "### Bounds\n\n" + _bounds(formed),
        "### A step\n\n" + _steps(found.get("steps", []), formed),
        "### Peak memory of a fresh process\n\n" + _memory(found.get("memory", []), formed),
        "### The PRO losses and DPO\n\n" + _pro(found.get("pro", []), formed),
        "### The whole suite\n\n" + _suite(found.get("suite", []), formed),
        "### Start-up\n\n" + _startup(found.get("startup", [])),
    ]
    return "\n\n".join(parts)


def pipe_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left."""
    marks = [":--", *["--:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, marks, *rows])


def _bounds(formed: Mapping[str, float]) -> str:
    rows = [
        (label, f"{most:.2f}", _number(formed.get(key)), _verdict(formed.get(key), most))
        for label, key, most in BOUNDS
    ]
    return pipe_table(["what", "at most", "measured", ""], rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _verdict(value: float | None, most: float) -> str:
    if value is None:
        return "not measured"
    return "met" if value <= most else "missed"


def spread(values: Sequence[float], digits: int = 1, scale: float = 1000) -> str:
    """Median and range, in milliseconds."""
    low, middle, high = (
        f"{scale * value:.{digits}f}" for value in (min(values), median(values), max(values))
    )
    return f"{middle} ({low}–{high})"


def _steps(groups: Iterable[Sequence[Row]], formed: Mapping[str, float]) -> str:
    rows = []
    for group in groups:
        for row in group:
            key = f"{row['work']} {row['method']}"
            ours = row["side"] == "ours"
            rows.append(
                (
                    WORKS[row["work"]].title,
                    ("ours, " if ours else "TRL, ") + row["method"],
                    spread(row["cpu"]),
                    spread(row["wall"]),
                    _number(formed.get(f"{key} cpu")) if ours else "",
                    _number(formed.get(f"{key} wall")) if ours else "",
                )
            )
    heads = ["work", "who", "CPU ms", "wall ms", "CPU ratio", "wall ratio"]
    return pipe_table(heads, rows)


def _memory(rows: Iterable[Row], formed: Mapping[str, float]) -> str:
    cells = [
        (
            WORKS[row["work"]].title,
            ("ours, " if row["side"] == "ours" else "TRL, ") + row["method"],
            f"{row['imports'] / 2**20:.0f}",
            f"{row['peak'] / 2**20:.0f}",
            _number(formed.get(f"{row['work']} {row['method']} peak"))
            if row["side"] == "ours"
            else "",
        )
        for row in rows
    ]
    return pipe_table(["work", "who", "MiB after imports", "MiB at the peak", "ratio"], cells)


def _pro(rows: Iterable[Row], formed: Mapping[str, float]) -> str:
    cells = [
        (
            WORKS[row["work"]].title,
            row["method"],
            spread(row["cpu"]),
            _number(formed[f"{row['work']} {row['method']} pro"]),
        )
        for row in rows
    ]
    return pipe_table(["work", "method", "CPU ms", "of DPO's"], cells)


def _suite(rows: Sequence[Row], formed: Mapping[str, float]) -> str:
    names = {"ours": "ours"} | {side: f"TRL, {side}" for side in LOOPS}
    cells = [
        (f"{names[row['side']]}: {row['part']}", f"{row['cpu']:.1f}", f"{row['wall']:.1f}")
        for side in names
        for row in rows
        if row["side"] == side
    ]
    for side, name in names.items():
        totals = (f"{_total(rows, side, clock):.1f}" for clock in ("cpu", "wall"))
        cells.append((f"**{name}, in all**", *totals))
    for side in LOOPS:
        shares = (_number(formed.get(f"suite {side} {clock}")) for clock in ("cpu", "wall"))
        cells.append((f"**ours, of {names[side]}**", *shares))
    return pipe_table(["part", "CPU s", "wall s"], cells)


def _startup(rows: Iterable[Row]) -> str:
    cells = [
        (f"`plumbline {row['command']}`", spread(row["cpu"], 2, 1), spread(row["wall"], 2, 1))
        for row in rows
    ]
    return pipe_table(["command", "CPU s", "wall s"], cells)
