"""The driver: starts workers and lets one at a time go on.

It stays small itself: on Linux the peak memory of a process is never below what its parent held
when it was started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent.parent
#: For every process that is measured: one thread, no GPU, no network, no progress bars, this
#: checkout.
QUIET = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "PYTHONPATH": str(HOME),
    "PLUMBLINE_HOME": str(HOME),
    "CUDA_VISIBLE_DEVICES": "",
}


def environment() -> dict[str, str]:
    """What a measured process finds."""
    return os.environ | QUIET


class Worker:
    """A process that answers lines with lines of JSON."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process, self.log = process, log

    def answer(self) -> dict[str, Any]:
        """Its next answer."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker has ended:\n{self.log.read_text()[-4000:]}")
        return json.loads(line)

    def ask(self, line: str = "go") -> dict[str, Any]:
        """Send a line and wait for the answer."""
        print(line, file=self.process.stdin, flush=True)
        return self.answer()


@contextmanager
def worker(module: str, argument: Any) -> Iterator[Worker]:
    """`python -m module 'JSON'`, ended when the context is left."""
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(argument)],
            cwd=HOME,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Worker(process, Path(log.name))
        finally:
            process.stdin.close()
            process.wait()
