"""What an experiment will take, in the terminal or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from plumbline import config, layout
from plumbline.cli.judge import counted, money
from plumbline.config import Experiment
from plumbline.errors import ConfigError
from plumbline.operate.plan import total
from plumbline.operate.plan.devices import Device, device
from plumbline.operate.plan.disk import Disk, disk
from plumbline.operate.plan.estimate import MODEL, Estimate, Estimator
from plumbline.operate.plan.judging import Judged, judging
from plumbline.operate.plan.schedule import LAPTOP, Places, of_profile
from plumbline.operate.plan.total import Plan, Sum
from plumbline.report.terminal import printed

Row = dict[str, Any]
#: Columns of a pipe: the table is made for a terminal of 80.
WIDTH = 100


def run(
    file: Path | None,
    configfile: Path | None,
    profile: Path | None,
    history: Path,
    name: str | None,
    rate: float | None,
    as_json: bool,
) -> None:
    """Print the plan of an experiment file."""
    if (file is None) == (configfile is None):
        raise ConfigError("give one experiment file: plumbline plan FILE, or --configfile FILE")
    experiment = config.read(file or configfile)
    places = of_profile(profile) if profile else LAPTOP
    assumed = device(experiment, name, rate)
    found = total.plan(Estimator(experiment, history, assumed), places)
    disks = list(disk(experiment, history))
    asked = judging(experiment, layout.ledger())
    if as_json:
        print(json.dumps(described(found, disks, asked, assumed, places), indent=2))
        return
    parts = [table(experiment, found), *lines(found, disks, places)]
    parts += [judge_table(experiment, asked)] if asked else []
    print(printed(*parts, pipe_width=WIDTH), end="")
    print(printed(*notes(found, assumed, history), pipe_width=WIDTH), end="")


def described(
    found: Plan, disks: list[Disk], asked: list[Judged], assumed: Device, places: Places
) -> Row:
    """The plan as JSON: seconds, MB, 1e9 bytes; null is not known."""
    return {
        "rules": {
            name: {
                "jobs": len(group),
                "todo": sum(item in found.todo for item in group),
                "basis": total.basis(group),
                "cpu_seconds": asdict(total.total(item.cpu for item in group)),
                "gpu_seconds": asdict(total.total(item.gpu for item in group)),
                "memory_mb": most(group),
            }
            for name, group in grouped(found.every).items()
        },
        "all": sums(found.every, found.wall_of_all),
        "todo": sums(found.todo, found.wall),
        "disk": [asdict(item) for item in disks],
        "judge": [asdict(item) for item in asked],
        "assumed": asdict(assumed),
        "places": asdict(places),
    }


def sums(estimates: list[Estimate], wall: float) -> Row:
    """Totals of some jobs."""
    return {
        "jobs": len(estimates),
        "cpu_seconds": asdict(total.total(item.cpu for item in estimates)),
        "gpu_seconds": asdict(total.total(item.gpu for item in estimates)),
        "wall_seconds": wall,
    }


def grouped(estimates: list[Estimate]) -> dict[str, list[Estimate]]:
    """Estimates by rule."""
    return total.by(estimates, lambda item: total.label(item.job))


def most(group: list[Estimate]) -> float | None:
    """The peak memory of the largest job that is known, MB."""
    return max((item.memory for item in group if item.memory is not None), default=None)


def table(experiment: Experiment, found: Plan) -> Table:
    """A line for each rule, and their sums."""
    title = Text(f"Plan of {experiment.experiment}")
    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    result.add_column("rule")
    for head in ("jobs", "to do", "CPU\nof all", "CPU\nto do", "GPU\nto do", "memory\na job"):
        result.add_column(head, justify="right")
    result.add_column("basis", overflow="fold")
    todo = grouped(found.todo)
    for name, group in grouped(found.every).items():
        result.add_row(name, *numbers(group, todo.get(name, [])), total.basis(group))
    result.add_section()
    result.add_row("total", *numbers(found.every, found.todo), "")
    return result


def numbers(group: list[Estimate], todo: list[Estimate]) -> tuple[str, ...]:
    """The cells of one line."""
    memory = most(group)
    return (
        f"{len(group):,}",
        f"{len(todo):,}",
        summed(total.total(item.cpu for item in group)),
        summed(total.total(item.cpu for item in todo)),
        summed(total.total(item.gpu for item in todo)),
        "–" if memory is None else size(memory * 1e6),
    )


def summed(found: Sum) -> str:
    """A sum of seconds; at least so much where some of it is not known, a dash where all of it."""
    if found.value is None:
        return "–"
    return f"≥ {time(found.known)}" if found.missing else time(found.known)


def time(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def size(count: float) -> str:
    """Bytes in kB, MB or GB, of 1e3, 1e6 and 1e9."""
    if count < 1e6:
        return f"{count / 1e3:,.0f} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def lines(found: Plan, disks: list[Disk], places: Places) -> list[Text]:
    """What is not a rule's: wall time and disk."""
    unknown = any(item.seconds is None for item in found.todo)
    least = "at least " if unknown else ""
    of_all = "at least " if any(item.seconds is None for item in found.every) else ""
    told = [
        f"Wall: {least}{time(found.wall)} for what is to do, {of_all}{time(found.wall_of_all)} "
        f"for all, {words(places)}."
    ]
    for item in disks:
        each = "of unknown size" if item.size is None else f"of {size(item.size)} ({item.basis})"
        whole = "–" if item.gigabytes is None else size(item.gigabytes * 1e9)
        told.append(
            f"Disk: {item.setting}: {whole} at the most, {item.most} models {each}; "
            f"{item.there} are there, {item.after} stay."
        )
    return [Text(line) for line in told]


def judge_table(experiment: Experiment, asked: list[Judged]) -> Table:
    """A line for each benchmark and split that asks the judge."""
    name, version = experiment.judge.identity
    title = Text(f"Judgments to make: {name}, version {version}")
    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for head in ("setting", "benchmark"):
        result.add_column(head, overflow="fold")
    for head in ("calls", "tokens\nasked", "tokens\nreplied", "US\ndollars"):
        result.add_column(head, justify="right")
    result.add_column("basis")
    for item in asked:
        one = item.estimate
        result.add_row(one.setting, f"{one.benchmark} {one.split}", *prices(item), item.basis)
    return result


def prices(item: Judged) -> tuple[str, ...]:
    """Calls, tokens in millions and dollars, as a line has them."""
    one = item.estimate
    millions = (
        "–" if n is None else f"{n / 1e6:.1f} M" for n in (one.prompt_tokens, one.completion_tokens)
    )
    return counted(one.calls), *millions, money(item.dollars)


def words(places: Places) -> str:
    """How many jobs run at a time."""
    gpus = "" if places.gpus is None else f", {places.gpus} GPU(s)"
    if places.local is None:
        return f"{places.jobs} jobs at a time{gpus}"
    return f"{places.jobs} jobs at a time on nodes{gpus}, {places.local} on the head node"


def notes(found: Plan, assumed: Device, history: Path) -> list[Text]:
    """What the numbers stand on."""
    told = [
        "To do: an output file is not there. What is there, but no longer current, only "
        "`snakemake -n` knows."
    ]
    bases = {item.basis for item in found.every}
    if MODEL in bases:
        told.append(
            f"model: operations of parameters and tokens, on a device '{assumed.name}': "
            f"{assumed.source}. Assumed, not measured: --device, --flops."
        )
    if bases - {MODEL}:
        told.append(
            f"measured, scaled: medians of jobs in {history}/timings. –: not known, not zero."
        )
    told.append(
        "Judge: counted by the evaluators' own questions; by model where their data is not there. "
        "At most: answers and replies as long as they may be."
    )
    told.append("Snakemake's own CPU time is in no figure. docs/plan.md explains each basis.")
    return [Text(line) for line in told]
