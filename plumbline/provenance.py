"""Who made a file: beside it, the command, the environment and the seconds that made it.

Rows hold no times, so that the same inputs give the same bytes. What differs from one making to the
next is in the trace beside a file, and names the file by its digest. Environments are shared: each
is one file, named by its own digest.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from plumbline import ENGINE, layout
from plumbline.artifacts import digest, file_digest, folder_digest, read_json, write_json

Row = dict[str, Any]
#: Packages whose version can change a number, in the order in which tables name them.
PACKAGES = ("plumbline", "torch", "transformers", "lm-eval", "alpaca-eval", "fschat")
#: Letters of an environment's digest that name it.
SHORT = 16


def leave_trace(path: Path, started: float) -> None:
    """Say beside the finished file `path` who made it. started: of `time.perf_counter`."""
    name = environment_name()
    if not layout.environment(name).is_file():
        write_json(layout.environment(name), environment())
    write_json(
        layout.trace(path),
        {
            "file": file_digest(path),
            "command": command(sys.argv[1:], Path.cwd()),
            "environment": name,
            "seconds": round(time.perf_counter() - started, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def trace_of(path: Path) -> Row | None:
    """What `leave_trace` left for the file as it is now; None where it is of another, or absent."""
    trace = layout.trace(path)
    if not trace.is_file() or not path.is_file():
        return None
    found = read_json(trace)
    return found if found["file"] == file_digest(path) else None


def traces(paths: Iterable[Path]) -> Row:
    """The traces of the files that are there, by path, and the environments they name, by name.

    A file without a trace, of a run older than traces, has null.
    """
    files = {str(path): trace_of(path) for path in paths if path.is_file()}
    names = {trace["environment"] for trace in files.values() if trace}
    environments = {name: read_json(layout.environment(name)) for name in sorted(names)}
    return {"files": files, "environments": environments}


def command(words: list[str], folder: Path) -> str:
    """This process as a line to type in `folder`: paths in it are relative, so that the line holds
    where the folder is moved to. Before it, what launched several processes."""
    launcher = os.environ.get("PLUMBLINE_LAUNCHER", "") if "WORLD_SIZE" in os.environ else ""
    line = [*shlex.split(launcher), "plumbline", *words]
    return shlex.join(word.removeprefix(f"{folder}/") for word in line)


@cache
def environment() -> Row:
    """This process: our code, Python, the packages that Plumbline asks for, and the machine."""
    return {
        "code": folder_digest(Path(__file__).parent),
        "engine": ENGINE,
        "python": platform.python_version(),
        "packages": packages(),
        "machine": machine(),
    }


@cache
def environment_name() -> str:
    """The short digest of `environment`."""
    return digest(environment())[:SHORT]


def packages() -> dict[str, str]:
    """Name -> version of Plumbline and of every package that it requires and that is here."""
    required = [line for line in metadata.requires("plumbline") if "extra ==" not in line]
    names = ["plumbline", *(re.match(r"[\w.-]+", line)[0] for line in required)]
    return {name: item.version for name in names for item in metadata.distributions(name=name)}


def machine() -> Row:
    """Processor, memory in GiB and accelerators of this machine, by name."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory": round(psutil.virtual_memory().total / 2**30),
        "accelerators": accelerators(),
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    cpus = Path("/proc/cpuinfo")
    text = cpus.read_text() if cpus.is_file() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.M)
    return found[1] if found else platform.processor()


def accelerators() -> list[str]:
    """The GPUs that this process sees; who has not loaded torch has used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]


def versions_words(environments: list[Row]) -> str:
    """Which versions made the numbers: `torch 2.13.0, ...`; several of a package stand beside each
    other."""
    found = {
        name: sorted({item["packages"][name] for item in environments if name in item["packages"]})
        for name in PACKAGES
    }
    return ", ".join(f"{name} {' and '.join(given)}" for name, given in found.items() if given)


def machine_words(machine: Row) -> str:
    """A machine in a line."""
    parts = [
        f"{machine['system']} {machine['machine']}",
        machine["processor"],
        f"{machine['cores']} cores",
        f"{machine['memory']} GiB",
        *machine["accelerators"],
    ]
    return ", ".join(filter(None, parts))
