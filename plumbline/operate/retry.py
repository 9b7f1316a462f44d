"""What to type so that an experiment goes on."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from plumbline.operate.status import Standing, Status

SLURM = "profiles/slurm"


def whole(status: Status) -> str:
    """The command that makes what is not done."""
    return f"snakemake {_where(status)} --configfile {_file(status)}"


def of_job(status: Status, item: Standing) -> str:
    """The command that makes one job again, with what it waits for: its first file that does not
    stand is enough. A target stands before --configfile, which takes every word after it."""
    target = next(path for path in item.job.outputs if path not in item.done)
    return f"snakemake {_where(status)} {quote(str(target))} --configfile {_file(status)}"


def unlock(status: Status) -> str:
    """The command that takes away the locks of a Snakemake that died."""
    return f"snakemake --unlock --configfile {_file(status)}"


def dry_run(status: Status) -> str:
    """The command that says what would be made, changes of code included."""
    return f"snakemake -n --configfile {_file(status)}"


def _file(status: Status) -> str:
    return quote(str(status.file))


def _where(status: Status) -> str:
    """A profile where Slurm ran the jobs and one is here, else the cores of this machine."""
    if status.slurm and Path(SLURM).is_dir():
        return f"--workflow-profile {SLURM}"
    return f"--cores {os.cpu_count()}"
