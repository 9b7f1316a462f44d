"""SIGTERM while training: the last step is kept, then the process ends.

A scheduler sends it some seconds before the kill: at a time limit, at a preemption, at a drain.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from plumbline.errors import Stopped


@dataclass
class Stop:
    """Whether the process was asked to end."""

    asked: bool = False


@contextmanager
def stopping(alone: bool) -> Iterator[Stop]:
    """While the context lasts, SIGTERM is a wish, and Stopped is raised at its end.

    alone: whether this process trains by itself. Several would have to agree on a step: there
    SIGTERM ends them as ever, and the newest checkpoint counts.
    """
    stop = Stop()

    def ask(*_: Any) -> None:
        stop.asked = True
        print("SIGTERM: a checkpoint is written at the end of this step", flush=True)

    if not alone:
        yield stop
        return
    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def ended(stop: Stop, step: int, steps: int) -> None:
    """Raise Stopped where a wish to end cut training short."""
    if stop.asked and step < steps:
        raise Stopped(
            f"ended by SIGTERM after step {step} of {steps}, which is kept: run again to go on"
        )
