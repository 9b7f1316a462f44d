"""A pipeline that drills disturb, and what must hold of it afterwards."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from checkout import Checkout

CONFIG = "drill.yaml"
#: Calls of the judge for a question whose answer had been committed before.
ASKED_AGAIN = (
    "SELECT later.key FROM calls later JOIN calls first USING (key) JOIN ends ON call = first.id "
    "WHERE outcome = 'answered' AND later.id > first.id"
)


@dataclass
class Drill:
    """A checkout with results of its own."""

    checkout: Checkout

    @property
    def folder(self) -> Path:
        return self.checkout.folder

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def copy(self, folder: Path) -> "Drill":
        """All files with their times, and what Snakemake remembers of them."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Drill(Checkout(folder))

    def run(self, *arguments: str, check: bool = True) -> str:
        """Snakemake to its end; its output."""
        return self.checkout.snakemake("--configfile", CONFIG, *arguments, check=check)

    def start(self) -> subprocess.Popen:
        """Snakemake under way, in a session of its own, its output in a file."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", CONFIG]
        with open(self.folder / "started.log", "w") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.checkout.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def again(self) -> str:
        """What docs/reliability.md has the user type after a crash."""
        self.run("--unlock")
        return self.run()

    def tables(self) -> dict[str, bytes]:
        """Every table by its place."""
        folder = self.results / "experiments" / "drill" / "tables"
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def asked_again(self) -> list:
        """Questions that were asked although their answer had been committed."""
        with closing(sqlite3.connect(self.results / "ledger" / "ledger.sqlite")) as base:
            return base.execute(ASKED_AGAIN).fetchall()

    def logs(self) -> str:
        """All that jobs said."""
        return "".join(path.read_text() for path in (self.results / "logs").rglob("*.log"))


def same(drill: Drill, undisturbed: Drill) -> None:
    """The tables are those of an undisturbed run, and nobody was asked twice."""
    assert drill.tables() == undisturbed.tables() and drill.tables()
    assert not drill.asked_again()
    assert not list(drill.results.rglob(".*.kept")), "no second name is left"


def jobs(process: subprocess.Popen, *stages: str) -> list[psutil.Process]:
    """The processes of `plumbline STAGE` that Snakemake has started."""
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid).children(recursive=True)
        return [item for item in found if _stage(item) in stages]
    return []


def _stage(process: psutil.Process) -> str:
    """The stage that a process does; empty for shells and others."""
    with suppress(psutil.NoSuchProcess, IndexError):
        words = process.cmdline()
        if Path(words[1]).name == "plumbline":
            return words[2]
    return ""


def wait_for(look: Callable[[], Any], seconds: float = 120) -> Any:
    """The first thing that is there when one looks again and again."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "what the drill waits for never came"
        time.sleep(0.005)
    return found


def killed(process: subprocess.Popen | psutil.Process, number: int = signal.SIGKILL) -> None:
    """Send a signal; who has ended already has nothing to lose."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
