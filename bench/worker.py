"""One process that trains one side of a work, a repeat for each line of stdin.

python -m bench.worker '{"side": "ours", "work": "b", "method": "dpo", "repeats": 3}'
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import torch

from bench.gate import Gate
from bench.works import WORKS


def main() -> None:
    """Tell the peak memory after imports, then train."""
    task, answers = json.loads(sys.argv[1]), own_stdout()
    torch.set_num_threads(1)
    side, work = import_module(f"bench.{task['side']}"), WORKS[task["work"]]
    gate = Gate(sys.stdin, answers, work.steps)
    gate.tell()
    # One repeat more than is asked for, so that none holds the end of training.
    steps = (task["repeats"] + 1) * work.steps
    with TemporaryDirectory() as folder:
        side.train(work, task["method"], steps, gate, Path(folder))


def own_stdout() -> TextIO:
    """This process's stdout, with whatever libraries print sent to stderr instead."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
