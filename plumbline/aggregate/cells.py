"""One cell of a table: the same number over several seeds."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: From best to worst; a cell shows the worst status among its seeds.
SEVERITY = ("ok", "incomplete", "refused", "not_run", "diverged")


@dataclass(frozen=True)
class Cell:
    """A number over seeds, in the metric's own unit.

    value: mean over the seeds that have one, None where none has.
    spread: sample standard deviation over those seeds, None for fewer than two.
    se: mean over seeds of the item-sampling standard error of one run, None where not reported.
    n, n_expected: items scored and items asked for, summed over seeds.
    status: the worst of the seeds' statuses; reason: their distinct reasons, joined.
    best: the best complete cell of its column.
    stamp: what to print beside the number wherever it goes, as of a model that measures nothing.
    """

    value: float | None
    spread: float | None
    n_seeds: int
    status: str
    reason: str = ""
    se: float | None = None
    n: int = 0
    n_expected: int = 0
    best: bool = False
    stamp: str = ""

    @property
    def complete(self) -> bool:
        """Whether every seed has a value from every item."""
        return self.status == "ok" and self.value is not None


def records(rows: Any) -> list[dict[str, Any]]:
    """Rows as dicts, from dicts or a pandas DataFrame, whose null, NaN, becomes None."""
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    return [{key: None if value != value else value for key, value in row.items()} for row in rows]


def cell(rows: Iterable[dict[str, Any]], stamp: str = "") -> Cell:
    """Summarise result rows that differ in their seed only (`rows.RESULT`).

    No row at all is a cell of status not_run.
    """
    rows = list(rows)
    values = present(rows, "value")
    errors = present(rows, "se")
    return Cell(
        value=statistics.fmean(values) if values else None,
        spread=statistics.stdev(values) if len(values) > 1 else None,
        n_seeds=len(values),
        status=worst([row["status"] for row in rows]),
        reason="; ".join(sorted({row["reason"] for row in rows if row.get("reason")})),
        se=statistics.fmean(errors) if errors else None,
        n=sum(present(rows, "n")),
        n_expected=sum(present(rows, "n_expected")),
        stamp=stamp,
    )


def present(rows: list[dict[str, Any]], key: str) -> list[Any]:
    """The values of a column that are not null."""
    return [row[key] for row in rows if row.get(key) is not None]


def worst(statuses: list[str]) -> str:
    """The most severe status; no status at all is not_run."""
    return max(statuses, key=SEVERITY.index, default="not_run")
