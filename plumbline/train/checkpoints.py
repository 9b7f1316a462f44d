"""Checkpoints that are complete or absent: written beside, flushed, and marked last.

The Trainer's own checkpoints are neither atomic nor whole: the log that this engine keeps is not
in them. A checkpoint counts only once its mark is there, which says what it was made from and how
long each of its files is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from plumbline.artifacts import flush, read_json, write_json
from plumbline.errors import IntegrityError
from plumbline.train.stopping import Stop

MARK = "complete.json"
#: What a run remembers besides the Trainer's state.
MEMORY = "memory.json"


class Checkpoints(TrainerCallback):
    """Saves every `every` steps but the last, and keeps the newest.

    work: the run's folder for unfinished work. made_from: what must be equal for a run to go on
    from here. remember: gives what the run must find again besides the Trainer's state, as JSON.
    stop: once it is asked for, a checkpoint is written at the end of the step, and training ends.
    """

    def __init__(
        self,
        work: Path,
        every: int,
        made_from: Mapping[str, Any],
        remember: Callable[[], Any] = dict,
        wait: Callable[[], None] = lambda: None,
        stop: Stop | None = None,
    ) -> None:
        self.work, self.every, self.made_from = work, every, made_from
        self.remember, self.wait, self.stop = remember, wait, stop or Stop()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step = state.global_step
        if step < state.max_steps:  # the last step needs none: the model itself is saved
            control.should_save = step % self.every == 0 or self.stop.asked
            control.should_training_stop = self.stop.asked

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.wait()
        if not state.is_world_process_zero:
            return
        folder = _folder(self.work, state.global_step)
        write_json(folder / MEMORY, self.remember())
        flush(folder)
        write_json(folder / MARK, {"made_from": self.made_from, "bytes": _sizes(folder)})
        clear(self.work, kept=folder)


def newest(work: Path, made_from: Mapping[str, Any]) -> Path | None:
    """The newest complete checkpoint that was made from `made_from`; one whose files are not as
    long as they were is passed over, with a word of it."""
    marked = sorted(work.glob(f"checkpoint-*/{MARK}"), key=_step, reverse=True)
    return next((mark.parent for mark in marked if _holds(mark, made_from)), None)


def _holds(mark: Path, made_from: Mapping[str, Any]) -> bool:
    try:
        says = read_json(mark)
    except IntegrityError:
        says = {"made_from": made_from, "bytes": None}
    if says.get("made_from") != made_from:
        return False
    whole = says["bytes"] == _sizes(mark.parent)
    if not whole:
        print(f"{mark.parent} is truncated, and passed over", flush=True)
    return whole


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file of a checkpoint but its mark, by its name in the folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MARK]
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def clear(work: Path, kept: Path | None) -> None:
    """Remove every checkpoint but one, so that none is written over another's mark."""
    for folder in set(work.glob("checkpoint-*")) - {kept}:
        shutil.rmtree(folder)


def memory(checkpoint: Path) -> Any:
    """What the run remembered at a checkpoint."""
    return read_json(checkpoint / MEMORY)


def _folder(work: Path, step: int) -> Path:
    return work / f"checkpoint-{step}"


def _step(mark: Path) -> int:
    return int(mark.parent.name.removeprefix("checkpoint-"))
