"""Time and memory of a step: workers of one group take turns, repeat by repeat."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from bench.driver import Worker, worker
from bench.works import WORKS

#: Repeats before those that count.
WARM_UP = 2
#: Steps of the processes whose peak memory is read.
FRESH = 3


@dataclass(frozen=True)
class Task:
    """Who trains what: a side ("ours" or "theirs") does a work with a method."""

    side: str
    work: str
    method: str

    def __str__(self) -> str:
        return f"{self.side} {self.work} {self.method}"


def both(work: str, ours: str, theirs: str) -> list[Task]:
    """Our method and TRL's on one work."""
    return [Task("ours", work, ours), Task("theirs", work, theirs)]


#: Who takes turns with whom.
GROUPS = [
    both("a", "dpo", "dpo"),
    both("a", "kto", "kto"),
    both("b", "dpo", "dpo"),
    both("c", "pro_s", "dpo"),
]
#: Whose peak memory is read.
FRESH_GROUPS = [both("a", "dpo", "dpo"), both("b", "dpo", "dpo")]
#: The PRO losses and DPO. PRO-B's singles have no prompt to share, nor has DPO beside it.
PRO = [
    Task("ours", "b", "dpo"),
    Task("ours", "b", "pro_p"),
    Task("ours", "b", "pro_s"),
    Task("ours", "b_apart", "dpo"),
    Task("ours", "b_apart", "pro_b"),
]


def times(tasks: Sequence[Task], repeats: int) -> list[dict[str, Any]]:
    """CPU and wall seconds of a step in each repeat, and peak memory, task by task."""
    with ExitStack() as stack:
        workers = [stack.enter_context(_start(task, WARM_UP + repeats)) for task in tasks]
        for task, one in zip(tasks, workers, strict=True):
            _ready(task, one)
        rounds = [
            [_repeat(task, one, number) for task, one in zip(tasks, workers, strict=True)]
            for number in range(1 - WARM_UP, repeats + 1)
        ]
    return [
        asdict(task)
        | {name: [answer[name] for answer in answers] for name in ("cpu", "wall")}
        | {"peak": answers[-1]["peak"]}
        for task, answers in zip(tasks, zip(*rounds[WARM_UP:], strict=True), strict=True)
    ]


def memory(task: Task) -> dict[str, Any]:
    """Peak memory in bytes of a fresh process, after its imports and after `FRESH` steps."""
    with _start(task, FRESH) as one:
        imports = one.answer()["peak"]
        one.answer()
        for _ in range(0, FRESH, WORKS[task.work].steps):
            peak = one.ask()["peak"]
    print(f"{task}: peak {peak / 2**20:.0f} MiB, {imports / 2**20:.0f} after imports", flush=True)
    return asdict(task) | {"imports": imports, "peak": peak}


def _start(task: Task, repeats: int) -> AbstractContextManager[Worker]:
    return worker("bench.worker", asdict(task) | {"repeats": repeats})


def _ready(task: Task, one: Worker) -> None:
    """Wait for the imports, then for model, data and references."""
    one.answer()
    one.answer()
    print(f"{task}: ready", flush=True)


def _repeat(task: Task, one: Worker, number: int) -> dict[str, Any]:
    """Number 1 is the first that counts."""
    answer = one.ask()
    label = f"repeat {number}" if number > 0 else "warm-up"
    print(
        f"{task}: {label}, {answer['cpu']:.3f} CPU s a step, {answer['wall']:.3f} wall", flush=True
    )
    return answer
