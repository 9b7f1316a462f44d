"""Where a trainer waits between repeats, so that two trainers can take turns."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass, field
from typing import Any, TextIO


@dataclass
class Gate:
    """Stands in a trainer's loop as a probe does, at the begin of every `steps` steps.

    Each time it tells the seconds that one step has taken since the last time, waits for a line,
    and goes on. A repeat thus holds whole turns of the loop: batch, step and log. The first time
    it tells what the process has taken: CPU since its start, wall since the gate was made.
    """

    lines: TextIO
    answers: TextIO
    steps: int = 1
    cpu: float = 0.0
    wall: float = field(default_factory=time.perf_counter)

    def measure(self, policy: Any, step: int) -> dict[str, float]:
        """In the place of a probe's measurement: nothing for the training log."""
        self.wait()
        return {}

    def wait(self) -> str:
        """Tell, and wait for the next line; the end of the lines ends the process."""
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        self.tell(cpu=cpu / self.steps, wall=wall / self.steps)
        line = self.lines.readline()
        if not line:
            raise SystemExit
        self.cpu, self.wall = time.process_time(), time.perf_counter()
        return line

    def tell(self, **values: float) -> None:
        """One line of JSON, with the peak memory so far, in bytes."""
        print(json.dumps(values | {"peak": peak()}), file=self.answers, flush=True)


def peak() -> int:
    """Peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
