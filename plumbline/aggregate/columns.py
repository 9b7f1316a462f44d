"""The columns of a table: what was asked for, and what turns out to have measured it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from plumbline.judge.surface import SurfaceJudge

#: Judges that prove the pipeline runs and measure nothing, with what to print beside them.
PLUMBING = {SurfaceJudge.name: SurfaceJudge.note}


@dataclass(frozen=True)
class Column:
    """A column asked for: `metric` of `benchmark`, under `title`, in the header group `group`.

    group: "" for the benchmark's own name; digits: decimals printed.
    """

    benchmark: str
    metric: str
    title: str
    group: str = ""
    digits: int = 2


@dataclass(frozen=True)
class Heading:
    """A column as it came out. Numbers of different judges or versions have one each.

    better: "higher", "lower", "none", or "" where no row says.
    version: the benchmark's; judge: "" where none was asked. broken: which control does better here
    than it may, "" for none.
    """

    column: Column
    better: str
    version: str = ""
    judge: str = ""
    judge_version: str = ""
    broken: str = ""

    @property
    def key(self) -> str:
        """A name that no other column of the table has."""
        base = f"{self.column.benchmark}.{self.column.metric}"
        return "@".join(filter(None, (base, self.version, self.judge_label)))

    @property
    def group(self) -> str:
        """The header that the column stands under, with its neighbours of the same group."""
        return self.column.group or self.column.benchmark

    @property
    def judge_label(self) -> str:
        """The judge with its version, "" without a judge."""
        return f"{self.judge} {self.judge_version}".strip()

    @property
    def stamp(self) -> str:
        """What to print beside a number that is no measurement, else ""."""
        return PLUMBING.get(self.judge, "")

    @property
    def directed(self) -> bool:
        """Whether more (or less) of it is better, so that it can be ranked."""
        return self.better in ("higher", "lower")


def headings_of(rows: Iterable[dict[str, Any]], column: Column) -> list[Heading]:
    """One heading for each (version, judge) that gave this column a value; one if none did."""
    mine = [row for row in rows if of_column(row, column)]
    better = next((row["better"] for row in mine), "")
    instruments = sorted({instrument(row) for row in mine if row["value"] is not None})
    return [Heading(column, better, *each) for each in instruments or [("", "", "")]]


def in_column(
    rows: Iterable[dict[str, Any]], heading: Heading, seeds: Iterable[int]
) -> Iterable[dict[str, Any]]:
    """One method's rows under a heading, one per seed; a seed without any is a gap that says so."""
    mine = {row["seed"]: row for row in rows if fits(row, heading)}
    for seed in seeds:
        gap = {"value": None, "status": "not_run", "reason": f"no row for seed {seed}"}
        yield mine.get(seed, gap)


def fits(row: dict[str, Any], heading: Heading) -> bool:
    """Whether a row stands under a heading; one without a value was measured by nothing yet."""
    mine = (heading.version, heading.judge, heading.judge_version)
    return of_column(row, heading.column) and (row["value"] is None or instrument(row) == mine)


def of_column(row: dict[str, Any], column: Column) -> bool:
    """Whether a row is of this benchmark and metric."""
    return (row["benchmark"], row["metric"]) == (column.benchmark, column.metric)


def instrument(row: dict[str, Any]) -> tuple[str, ...]:
    """What measured a number: benchmark version, judge, judge version."""
    return tuple(row.get(key) or "" for key in ("version", "judge", "judge_version"))
