"""How the runs of a method and the cells of its line in the table stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline.artifacts import read_json
from plumbline.layout import SettingFolder
from plumbline.operate.status import DONE, FAILED, MISSING, RUNNING, WAITING, Standing, Status


@dataclass(frozen=True)
class Count:
    """How many of some files stand."""

    done: int
    of: int

    @property
    def whole(self) -> bool:
        return self.done == self.of


@dataclass(frozen=True)
class Cell:
    """One column of a method's line, or a stage before it. seeds: test scores that stand.

    state: of `status.STATES`. why: the job that runs, failed, or is the next to run; "" where done.
    """

    column: str
    state: str
    seeds: Count
    why: str


@dataclass(frozen=True)
class Line:
    """A method in a setting. setting: by its name in the file. trained, answered and validated
    count the runs of its grid; point: the selected one, "" where none is selected."""

    setting: str
    method: str
    trained: Count
    answered: Count
    validated: Count
    point: str
    cells: tuple[Cell, ...]


def lines(status: Status) -> Iterator[Line]:
    """A line for each setting and method, as the tables have them."""
    whole = {path for item in status.standings for path in item.done}
    makers = {path: item for item in status.standings for path in item.job.outputs}
    for name, folders in status.experiment.setting_folders().items():
        for method in status.experiment.entrants:
            yield line(status, name, folders, method, whole, makers)


def line(
    status: Status,
    setting: str,
    folders: SettingFolder,
    method: str,
    whole: set[Path],
    makers: dict[Path, Standing],
) -> Line:
    """How a method stands in a setting. whole: files that stand; makers: file -> its job."""
    experiment, benchmark = status.experiment, status.experiment.select.benchmark
    runs = experiment.runs(folders, method)
    where = [run.evaluation() for run in runs]
    answers = [path for item in where if (path := item.responses(benchmark)) in makers]
    chosen = folders.selection(experiment.experiment, method)
    point = (read_json(chosen)["point"] or "none") if chosen in whole else ""
    cells = []
    for column in experiment.report.columns:
        tested = experiment.test_evaluations(folders, method)
        paths = [item.rows(column.benchmark) for item in tested]
        cells.append(cell(status, method, column.title, paths, whole, makers))
    return Line(
        setting,
        method,
        counted([run.record for run in runs], whole),
        counted(answers, whole),
        counted([item.rows(benchmark) for item in where], whole),
        point,
        tuple(cells),
    )


def counted(paths: list[Path], whole: set[Path]) -> Count:
    """How many of some files stand."""
    return Count(sum(path in whole for path in paths), len(paths))


def cell(
    status: Status,
    method: str,
    column: str,
    paths: list[Path],
    whole: set[Path],
    makers: dict[Path, Standing],
) -> Cell:
    """How a cell stands. paths: the scores that it is the mean of.

    A job that serves several methods waits for all of them: what runs for another method only does
    not make this cell run, but what failed for one holds it up.
    """
    seeds = counted(paths, whole)
    jobs = dict.fromkeys(makers[path].name for path in paths)
    makes = [status.by_name[name] for name in jobs]
    open_ = [item for item in makes if item.state != DONE]
    names = dict.fromkeys(name for item in open_ for name in [*item.behind, item.name])
    undone = [item for name, item in status.by_name.items() if name in names]
    if seeds.whole and not undone:
        return Cell(column, DONE, seeds, "")
    own = [item for item in undone if not item.job.methods or method in item.job.methods]
    for item in (item for item in undone if item.state == FAILED):
        state = FAILED if item in own else WAITING
        return Cell(column, state, seeds, f"{item.name} failed")
    for item in (item for item in own if item.state == RUNNING):
        return Cell(column, RUNNING, seeds, f"{item.name} runs")
    return Cell(column, MISSING, seeds, f"waits for {undone[0].name}")
