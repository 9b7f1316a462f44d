"""What a job of the workflow says of itself beside its log: that it runs, and why it failed."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plumbline.errors import IntegrityError

Row = dict[str, Any]


@contextmanager
def of_job() -> Iterator[None]:
    """Notes beside the log that $PLUMBLINE_LOG names; none without it.

    One says that the job runs, for as long as it does: only kill -9 and the like leave it there.
    The other tells of any exception, which is raised again.
    """
    log = os.environ.get("PLUMBLINE_LOG")
    if not log:
        yield
        return
    from plumbline import layout

    running, failed = layout.running_note(Path(log)), layout.error_note(Path(log))
    failed.unlink(missing_ok=True)
    try:
        with _running(running):
            yield
    except Exception as error:
        _leave(failed, _failure(error))
        raise


@contextmanager
def _running(path: Path) -> Iterator[None]:
    """Of several processes that train one model together, the first keeps the note."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    from plumbline.artifacts import read_json, write_json

    mine = _process()
    write_json(path, mine)
    try:
        yield
    finally:
        if path.is_file() and read_json(path) == mine:  # not that of a second start
            path.unlink(missing_ok=True)


def _process() -> Row:
    """This process. started: seconds since 1970, so that a pid given anew is not taken for it."""
    import psutil

    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": psutil.Process().create_time(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def _failure(error: Exception) -> Row:
    return {
        "error": type(error).__name__,
        "message": str(error),
        "exit_code": getattr(error, "exit_code", 1),
        "command": sys.argv,
        "host": socket.gethostname(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "traceback": traceback.format_exception(error),
    }


def _leave(path: Path, note: Row) -> None:
    """Where the disk is full there is no room for the note either, and the log has the error."""
    from plumbline.artifacts import write_json

    with suppress(OSError, IntegrityError):
        write_json(path, note)
