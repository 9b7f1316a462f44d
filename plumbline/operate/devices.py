"""GPU slots of this machine: two jobs never share a card, and a job that finds too few free waits.

A slot is a file with a lock, in a folder that all of this user's runs on the machine share. The
lock belongs to the process that uses the card and ends with it, however it ends: there is nothing
to clean up. In a job of Slurm the cards are those that it gave to the job, and the folder is the
job's own: where Slurm hides other jobs' cards, each job's first card has the same name.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from plumbline.errors import ConfigError

#: How CUDA is told which cards there are.
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Set in every job of Slurm.
SCHEDULED = "SLURM_JOB_ID"
#: How many cards each job of the workflow that uses torch holds; the workflow sets it.
GPUS = "PLUMBLINE_GPUS"
#: Seconds between two looks at cards that are in use.
PAUSE = 0.5


def hold(count: int) -> None:
    """Hold `count` cards for as long as this process lives, waiting for them if need be; CUDA will
    see them and no others.

    Nothing happens for 0, and where Slurm has chosen without saying which. Raises ConfigError where
    there are not as many cards, free or not.
    """
    if count == 0 or (SCHEDULED in os.environ and VISIBLE not in os.environ):
        return
    names = cards()
    if count > len(names):
        raise ConfigError(
            f"execution.gpus_per_run: {count} GPUs for a job, but {_told(names)}; set it to at "
            f"most {len(names)}, or run where there are more; `nvidia-smi` lists them"
        )
    os.environ[VISIBLE] = ",".join(take(count, names, slots()))


def cards() -> list[str]:
    """The cards that may be used, as CUDA names them: those that the caller sees, else all."""
    if VISIBLE in os.environ:
        return [name for name in os.environ[VISIBLE].split(",") if name]
    if not shutil.which("nvidia-smi"):
        return []
    # So that CUDA counts as nvidia-smi does, and not from the fastest card on.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()


def slots() -> Path:
    """The folder of locks: of this user on this machine, or of this job of Slurm on it."""
    job = os.environ.get(SCHEDULED, "")
    folder = Path(tempfile.gettempdir()) / f"plumbline-cards-{os.getuid()}" / f"job{job}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def take(count: int, names: list[str], folder: Path) -> list[str]:
    """Lock `count` of the cards `names` until this process ends, and say which.

    One process at a time collects cards, the others wait at the gate: so no two of them can each
    hold what the other waits for, and a job that wants many is not overtaken for ever.
    """
    gate = _open(folder / "gate")
    fcntl.flock(gate, fcntl.LOCK_EX)
    taken = _free(count, names, folder)
    if len(taken) < count:
        print(f"waits for {count} of the GPUs {', '.join(names)}", file=sys.stderr, flush=True)
    while len(taken) < count:
        time.sleep(PAUSE)
        others = [name for name in names if name not in taken]
        taken += _free(count - len(taken), others, folder)
    os.close(gate)
    return sorted(taken, key=names.index)


def _free(count: int, names: list[str], folder: Path) -> list[str]:
    """At most `count` cards that were free and now are this process's."""
    return list(islice((name for name in names if _locked(folder, name)), count))


def _locked(folder: Path, name: str) -> bool:
    """Whether the card was free and now is this process's."""
    slot = _open(folder / f"card-{quote(name, safe='')}")
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(slot)
        return False
    # The lock goes on in the command that this process becomes.
    os.set_inheritable(slot, True)
    return True


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _told(names: list[str]) -> str:
    return f"there are {len(names)} ({', '.join(names)})" if names else "there is none here"
