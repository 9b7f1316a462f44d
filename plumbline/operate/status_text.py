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
#: A cell's state in one letter, with what it means.
MARKS = {
    DONE: ("✓", "done"),
    RUNNING: ("▶", "running"),
    FAILED: ("✗", "failed"),
    WAITING: ("…", "waiting for a failed job"),
    MISSING: ("·", "missing"),
}
#: Jobs of a kind that are told one by one; the others are counted.
TOLD = 10
LOCKED = (
    "The folder is locked by a Snakemake that is not on this machine or has died. Where it has "
    "died, type"
)
STILL = (
    "The folder is locked by a Snakemake that is not on this machine or has died, and jobs of it "
    "go on. Where it has died, wait for them or stop them; then type"
)


def screen(status: Status) -> Group:
    """All of it, from the whole to the single job, and at the end what to type."""
    return Group(
        head(status),
        stages(status),
        *settings(status),
        legend(),
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
    for title in ("Method", "Trained", "Scored", "Point", *columns):
        table.add_column(Text(title))
    for line in own:
        counts = map(count_text, (line.trained, line.validated))
        table.add_row(line.method, *counts, Text(line.point), *map(cell_text, line.cells))
    return table


def count_text(count: Count) -> Text:
    """`1/2`; nothing where nothing is asked."""
    return Text(f"{count.done}/{count.of}" if count.of else "", "green" if count.whole else "")


def cell_text(cell: Cell) -> Text:
    """A cell's state in a letter, with its seeds where some of several are done."""
    some = f" {cell.seeds.done}/{cell.seeds.of}" if 0 < cell.seeds.done < cell.seeds.of else ""
    return Text(MARKS[cell.state][0] + some, STYLES[cell.state])


def legend() -> Text:
    """What the letters of the cells mean."""
    words = [Text(f"{mark} {meaning}", STYLES[state]) for state, (mark, meaning) in MARKS.items()]
    return Text("  ").join([Text(" "), *words, Text("")])


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
        if waiting := [other for other in status.of(WAITING) if item.name in other.behind]:
            yield Text(f"  {len(waiting)} jobs wait for it")
        yield command(retry.of_job(status, item))
    if len(items) > TOLD:
        yield Text(f"and {len(items) - TOLD} more {FAILED}: --json has all", "dim")


def command(line: str) -> Text:
    """A line to type: never broken, so that it can be copied."""
    return Text(f"  {line}", "bold", no_wrap=True, overflow="ignore")


def advice(status: Status) -> Iterator[Text]:
    """What works in this folder, and what to type next."""
    driver, alive = status.driver, status.of(RUNNING)
    yield Text("")
    if driver.pids:
        yield Text(f"Snakemake is at work in this folder: pid {', '.join(map(str, driver.pids))}.")
        if status.counts[FAILED]:
            yield Text(
                "If it began after a failure it tries that job again; else wait for its end."
            )
    elif driver.locked:
        yield Text(STILL if alive else LOCKED)
        yield command(retry.unlock(status))
        yield command(retry.whole(status))
    elif status.counts[DONE] == len(status.standings):
        yield Text(f"All is done: {status.experiment.folder.report}")
    else:
        yield Text("No Snakemake is at work here. To go on, type")
        yield command(retry.whole(status))
    yield Text("What changed code would make again is not told here, but by")
    yield command(retry.dry_run(status))
