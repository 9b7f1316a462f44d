"""Which process a job is, by the note that it keeps beside its log while it runs."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from plumbline import layout
from plumbline.artifacts import read_json


@dataclass(frozen=True)
class Process:
    """A job that has begun and has not said that it ended.

    alive: None for a process of another machine, which cannot be asked from here. since: UTC.
    """

    pid: int
    host: str
    since: str
    slurm_job: str | None
    alive: bool | None

    @property
    def words(self) -> str:
        """Where it runs and since when."""
        slurm = f", Slurm job {self.slurm_job}" if self.slurm_job else ""
        return f"pid {self.pid} on {self.host}{slurm}, since {self.since}"

    @property
    def question(self) -> str:
        """What to type to learn whether it is alive."""
        if self.slurm_job:
            return f"squeue -j {self.slurm_job}"
        return f"ssh {self.host} ps -p {self.pid}"


def of_log(log: Path) -> Process | None:
    """The process whose log this is; None where none runs or was killed."""
    path = layout.running_note(log)
    if not path.is_file():
        return None
    try:
        note = read_json(path)
    except FileNotFoundError:  # it has ended meanwhile
        return None
    here = note["host"] == socket.gethostname()
    alive = is_alive(note["pid"], note["started"]) if here else None
    return Process(note["pid"], note["host"], note["since"], note["slurm_job"], alive)


def is_alive(pid: int, started: float) -> bool:
    """Whether a process of this machine runs. started: seconds since 1970; another process that got
    the same pid began later."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
