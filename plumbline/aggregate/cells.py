"""One cell of a table: the same number over several seeds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: From best to worst; a cell shows the worst status among its seeds.
SEVERITY = ("ok", "incomplete", "refused", "not_run", "diverged")


@dataclass(frozen=True)
class Clean:
    """A cell's number without the items that are in the training prompts: `n` of one run's `of`.

    value, spread: as of a cell; None where nothing is left, or a part has no such number.
    """

    n: int
    of: int
    value: float | None
    spread: float | None


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
    clean: None where no item is known to be in the training prompts.
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
    clean: Clean | None = None

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
        value=mean(values),
        spread=spread(values),
        n_seeds=len(values),
        status=worst([row["status"] for row in rows]),
        reason="; ".join(sorted({row["reason"] for row in rows if row.get("reason")})),
        se=mean(errors),
        n=sum(present(rows, "n")),
        n_expected=sum(present(rows, "n_expected")),
        stamp=stamp,
        clean=clean(rows),
    )


def clean(rows: Iterable[dict[str, Any]]) -> Clean | None:
    """The same rows over the items that are not in the training prompts, None for no other item.

    The counts are those of the row with the most such items; a row without any counts whole.
    """
    rows = list(rows)
    most = max(rows, key=contaminated, default={})
    if not contaminated(most):
        return None
    values = [row["clean_value"] if contaminated(row) else row["value"] for row in rows]
    values = [value for value in values if value is not None]
    return Clean(contaminated(most), int(most["n"]), mean(values), spread(values))


def contaminated(row: dict[str, Any]) -> int:
    """How many items of a row are in the training prompts; 0 also where nobody knows."""
    return int(row.get("n_contaminated") or 0)


def mean(values: Sequence[float]) -> float | None:
    """None for no values."""
    return statistics.fmean(values) if values else None


def spread(values: Sequence[float]) -> float | None:
    """Sample standard deviation, None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def present(rows: list[dict[str, Any]], key: str) -> list[Any]:
    """The values of a column that are not null."""
    return [row[key] for row in rows if row.get(key) is not None]


def worst(statuses: list[str]) -> str:
    """The most severe status; no status at all is not_run."""
    return max(statuses, key=SEVERITY.index, default="not_run")
