"""How an experiment stands, as a screen."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plumbline.operate import retry
from plumbline.operate.status import (
    DONE,
    FAILED,
    MISSING,
    RUNNING,
    STATES,
    WAITING,
    Standing,
    Status,
    groups,
)
from plumbline.operate.status_cells import Cell, Count, Line, lines

STYLES = {DONE: "green", RUNNING: "cyan", FAILED: "bold red", WAITING: "yellow", MISSING: "dim"}
#: Jobs of a kind that are told one by one; the others are counted.
TOLD = 10
CODE = "What changed code would make again is not told here: `{}` tells it."


def screen(status: Status) -> Group:
    """All of it, from the whole to the single job, and at the end what to type."""
    return Group(
        head(status),
        stages(status),
        *settings(status),
        *jobs_of(status, RUNNING),
        *failures(status),
        *advice(status),
    )


def head(status: Status) -> Text:
    """How many jobs are in each state."""
    counts = status.counts
    text = Text.assemble((f"{status.experiment.experiment}", "bold"), ": ")
    text.append(f"{counts[DONE]} of {len(status.standings)} jobs done")
    for state in STATES[1:]:
        if counts[state]:
            text.append(f", {counts[state]} {state}", STYLES[state])
    return text


def stages(status: Status) -> Table:
    """The jobs by stage."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Stage")
    for state in STATES:
        table.add_column(state.capitalize(), justify="right")
    for label, items in groups(status.standings).items():
        states = [item.state for item in items]
        numbers = [Text(str(states.count(s) or ""), STYLES[s]) for s in STATES]
        table.add_row(label, *numbers)
    return table


def settings(status: Status) -> Iterator[RenderableType]:
    """A table for each setting: methods down, runs and columns across."""
    own = list(lines(status))
    for name in status.experiment.settings:
        columns = [column.title for column in status.experiment.report.columns]
        yield setting_table(name, columns, [line for line in own if line.setting == name])


def setting_table(name: str, columns: list[str], own: list[Line]) -> Table:
    """One setting's methods."""
    table = Table(box=box.SIMPLE_HEAD, title=Text(f"Setting {name}"), title_justify="left")
    for title in ("Method", "Trained", "Answered", "Validated", "Point", *columns):
        table.add_column(Text(title))
    for line in own:
        counts = map(count_text, (line.trained, line.answered, line.validated))
        table.add_row(line.method, *counts, Text(line.point), *map(cell_text, line.cells))
    return table


def count_text(count: Count) -> Text:
    """`1/2`; nothing where nothing is asked."""
    return Text(f"{count.done}/{count.of}" if count.of else "", "green" if count.whole else "")


def cell_text(cell: Cell) -> Text:
    """A cell's state, with its seeds where some of several are done."""
    some = f" {cell.seeds.done}/{cell.seeds.of}" if 0 < cell.seeds.done < cell.seeds.of else ""
    return Text(cell.state + some, STYLES[cell.state])


def jobs_of(status: Status, state: str) -> Iterator[Text]:
    """The jobs in a state, one by one."""
    items = status.of(state)
    for item in items[:TOLD]:
        yield told(item)
    if len(items) > TOLD:
        yield Text(f"and {len(items) - TOLD} more {state}: --json has all", "dim")


def told(item: Standing) -> Text:
    """A job in a line: its state, its name, how much of it is done, and why."""
    some = f" ({len(item.done)} of {len(item.job.outputs)} files done)" if item.done else ""
    return Text.assemble((item.state, STYLES[item.state]), f" {item.name}{some}: {item.why}")


def failures(status: Status) -> Iterator[Text]:
    """The failed jobs: why, where the log is, how it ends, and what to type."""
    items = status.of(FAILED)
    for item in items[:TOLD]:
        yield Text("")
        yield told(item)
        yield Text(f"  log: {item.job.log}")
        for line in item.lines:
            yield Text(f"  │ {line}", "dim", overflow="fold")
        yield Text(f"  again: {retry.of_job(status, item)}", overflow="fold")
    if len(items) > TOLD:
        yield Text(f"and {len(items) - TOLD} more {FAILED}: --json has all", "dim")


def advice(status: Status) -> Iterator[Text]:
    """What works in this folder, and what to type next."""
    yield Text("")
    for line in sentences(status):
        yield Text(line, overflow="fold")


def sentences(status: Status) -> Iterator[str]:
    """The same, line by line."""
    driver, alive = status.driver, status.of(RUNNING)
    if driver.pids:
        yield f"Snakemake is at work in this folder: pid {', '.join(map(str, driver.pids))}."
    elif status.counts[DONE] == len(status.standings):
        yield f"All is done: {status.experiment.folder.report}"
    elif alive and driver.locked:
        yield "No Snakemake of this machine is at work here, but its jobs go on: wait for them,"
        yield "or stop them. Or it is on another machine: then leave it."
    elif not driver.locked:
        yield "No Snakemake is at work here. To go on, type"
        yield f"  {retry.whole(status)}"
    if driver.abandoned:
        yield "The folder is locked, by a Snakemake that died or is on another machine. Once none"
        yield "is and no job runs any more, type"
        yield f"  {retry.unlock(status)}"
        yield f"  {retry.whole(status)}"
    yield CODE.format(retry.dry_run(status))
