"""The Snakemake of a folder: whether one works here, and whether one has left its locks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Where Snakemake keeps its locks, below the folder it was started in.
LOCKS = Path(".snakemake") / "locks"


@dataclass(frozen=True)
class Driver:
    """pids: of the Snakemakes of this machine that work in the folder. locked: whether one has
    locked it, here or on another machine."""

    pids: tuple[int, ...]
    locked: bool

    @property
    def abandoned(self) -> bool:
        """Whether the folder is locked by none that is alive on this machine."""
        return self.locked and not self.pids


def of_folder(folder: Path) -> Driver:
    """The Snakemake that works in a folder."""
    locked = any((folder / LOCKS).glob("*.lock"))
    return Driver(tuple(_pids(folder.resolve())), locked)


def _pids(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if drives(process.cmdline()) and Path(process.cwd()) == folder:
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it has ended, or is another user's
    return found


def drives(command: Sequence[str]) -> bool:
    """Whether a command line is a Snakemake that runs a workflow: not one that runs a single job of
    it on a node, and not one that only looks."""
    words = [Path(word).name for word in command[:3]]
    only = {"--mode", "-n", "--dry-run", "--dryrun", "--unlock", "--lint"}
    return ("snakemake" in words) and not only & set(command)
