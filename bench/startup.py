"""How long each command of the command line takes to say what it is."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.driver import environment

PROGRAM = Path(sys.executable).with_name("plumbline")
COMMANDS = [
    "methods",
    *(
        f"{name} --help"
        for name in "data pretrain sft reference align generate score select aggregate report "
        "summary methods judge".split()
    ),
]


def measure(repeats: int) -> Iterator[dict[str, Any]]:
    """CPU and wall seconds of each command, repeat by repeat."""
    for command in COMMANDS:
        runs = [_once(command) for _ in range(repeats)]
        found = {name: [run[name] for run in runs] for name in ("cpu", "wall")}
        print(f"plumbline {command}: {min(found['wall']):.2f} s at best", flush=True)
        yield {"command": command} | found


def _once(command: str) -> dict[str, float]:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [PROGRAM, *command.split()], env=environment(), stdout=subprocess.DEVNULL, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - started}
