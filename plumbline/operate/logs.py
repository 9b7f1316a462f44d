"""The end of a job's log. A log may hold anything: progress bars, colours, half a letter."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Bytes of a log that are read, from its end; letters of a line that are kept.
TAIL, WIDTH = 2**14, 300
#: What terminals take for orders: colours and moves, titles, and all other control characters.
ORDERS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log that say anything, at most `count`; none of a log that is absent."""
    if not path.is_file():
        return []
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        text = file.read().decode(errors="replace")
    lines = (plain(line) for line in text.split("\n"))
    return [line for line in lines if line.strip()][-count:]


def plain(line: str) -> str:
    """A line as it stands in the end: without control characters, of a progress bar the last."""
    shown = ORDERS.sub("", line.rstrip("\r")).rsplit("\r", 1)[-1]
    return CONTROL.sub("", shown).rstrip()[:WIDTH]
