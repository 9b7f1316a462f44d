"""One writer at a time: a lock beside what is written, which says who holds it."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import join, quote
from typing import IO

from plumbline import layout
from plumbline.ownership import may_write


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a folder or a file for this process, once no other process holds it.

    Who waits says for whom: most often for a job that went on after its Snakemake had died. What
    is wanted may have been made meanwhile, so callers look again once they hold the lock. The lock
    dies with its process: a crash leaves nothing to clean up. Raises IntegrityError where this user
    may not write.
    """
    mark = layout.lock(path)
    with may_write(mark):
        mark.parent.mkdir(parents=True, exist_ok=True)
        file = open(mark, "a+", encoding="utf-8")  # noqa: SIM115 - open as long as it is held
    with file:
        _take(file, path)
        file.truncate(0)
        file.write(_holder())
        file.flush()
        yield


def _take(file: IO[str], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        print(
            f"{path} is being written by {file.read() or 'another process'}; waiting for it to end",
            flush=True,
        )
        fcntl.flock(file, fcntl.LOCK_EX)


def _holder() -> str:
    """Who this process is, since when, and how it is stopped."""
    pid, host = os.getpid(), socket.gethostname()
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"process {pid} on {quote(host)} since {since} (`{join(sys.argv)}`; "
        f"to stop it, type `kill {pid}` there)"
    )
