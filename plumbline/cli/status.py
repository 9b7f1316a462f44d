"""How far an experiment is, as a screen or as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from plumbline import config
from plumbline.operate import retry
from plumbline.operate.status import DONE, FAILED, RUNNING, Standing, Status, status
from plumbline.operate.status_cells import lines
from plumbline.operate.status_text import screen

Row = dict[str, Any]
#: Exit codes: of PlumblineErrors none has these.
CODES = {"done": 0, "unfinished": 10, "failed": 11}
#: Columns that the screen is made for where it goes into a file or a pipe.
WIDTH = 120
#: Seconds between two looks.
PAUSE = 3.0


def run(file: Path, as_json: bool, watch: bool) -> int:
    """Print how an experiment stands; its exit code."""
    chosen = config.read(file)
    if watch:
        return code(watched(lambda: status(chosen, file)))
    found = status(chosen, file)
    if as_json:
        print(json.dumps(described(found), indent=2))
    else:
        terminal().print(screen(found), crop=False)  # commands are never cut
    return code(found)


def watched(look: Callable[[], Status]) -> Status:
    """Show it again and again, until nothing runs any more or Ctrl-C."""
    found = look()
    with suppress(KeyboardInterrupt), Live(screen(found), console=terminal()) as live:
        while is_at_work(found):
            time.sleep(PAUSE)
            found = look()
            live.update(screen(found), refresh=True)
    return found


def terminal() -> Console:
    """Standard output: as wide as it is, where it is a terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def is_at_work(found: Status) -> bool:
    """Whether a Snakemake works here, or a job that is not known to be dead."""
    return bool(found.driver.pids or found.counts[RUNNING])


def code(found: Status) -> int:
    """0 where all is done, 11 where a job failed, else 10."""
    if found.counts[FAILED]:
        return CODES["failed"]
    is_done = found.counts[DONE] == len(found.standings)
    return CODES["done" if is_done else "unfinished"]


def described(found: Status) -> Row:
    """All of it, under the keys that docs/status.md explains."""
    return {
        "experiment": found.experiment.experiment,
        "file": str(found.file),
        "counts": found.counts,
        "snakemake": asdict(found.driver) | {"abandoned": found.driver.abandoned},
        "jobs": [job(found, item) for item in found.standings],
        "lines": [asdict(line) for line in lines(found)],
        "commands": {
            "go_on": retry.whole(found),
            "unlock": retry.unlock(found),
            "dry_run": retry.dry_run(found),
        },
    }


def job(found: Status, item: Standing) -> Row:
    """One job."""
    again = retry.of_job(found, item) if item.state == FAILED else None
    return {
        "name": item.name,
        "rule": item.job.rule,
        "stage": item.job.stage,
        "setting": item.job.setting and item.job.setting.name,
        "methods": list(item.job.methods),
        "state": item.state,
        "why": item.why,
        "outputs": {str(path): path in item.done for path in item.job.outputs},
        "log": str(item.job.log),
        "lines": list(item.lines),
        "process": item.process and asdict(item.process),
        "again": again,
    }
