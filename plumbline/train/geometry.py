"""Batch geometry: how one declared global batch is cut into micro-batches over processes.

The global batch decides numbers and is part of a setting. How it is cut is not: gradients are the
same under every geometry, but for rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor

from plumbline.errors import ConfigError
from plumbline.locks import lock
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import Group
from plumbline.schema import Execution

Item = TypeVar("Item")
#: Share of the free memory that the activations of a micro-batch may take.
ROOM = 0.5


@dataclass(frozen=True)
class Geometry:
    """batch: examples of a global batch; micro: of one forward pass; world: processes, of which
    this is number `rank`. batch = micro * world * accumulate."""

    batch: int
    micro: int
    world: int = 1
    rank: int = 0

    @property
    def accumulate(self) -> int:
        """Micro-batches that a process back-propagates before an optimizer step."""
        return self.batch // (self.micro * self.world)

    def share(self, items: Sequence[Item]) -> list[Sequence[Item]]:
        """This process's micro-batches of a run. Processes take turns, so that lengths, which
        rise within a global batch, are shared out evenly."""
        stride = self.micro * self.world
        starts = range(self.micro * self.rank, len(items) - len(items) % self.batch, stride)
        return [items[start : start + self.micro] for start in starts]

    def global_batch(self, items: Sequence[Item], step: int) -> list[Item]:
        """All examples of a step, process by process, each in the order of its micro-batches."""
        rows = items[step * self.batch : (step + 1) * self.batch]
        ranks = [Geometry(self.batch, self.micro, self.world, rank) for rank in range(self.world)]
        return [item for one in ranks for part in one.share(rows) for item in part]


def processes() -> tuple[int, int]:
    """(number of processes, number of this one), as a launcher sets them."""
    return int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))


def first() -> bool:
    """Whether this is the process that writes."""
    return processes()[1] == 0


def hold(folder: Path) -> AbstractContextManager[None]:
    """Lock a folder for all processes of a launch: the first one holds it."""
    return lock(folder) if first() else nullcontext()


def told(value: Any) -> Any:
    """What the first process says, in every process of a launch: they must not differ over a file
    that another job has just written."""
    return broadcast_object_list([value])[0] if processes()[0] > 1 else value


def solve(batch: int, micro: int | None) -> Geometry:
    """The geometry of a global batch on the processes there are; micro None is as large as can be.

    Raises ConfigError where they do not divide the batch.
    """
    world, rank = processes()
    micro = micro or max(1, batch // world)
    if batch % (micro * world):
        raise ConfigError(
            f"execution: {world} processes of micro_batch {micro} do not divide the global batch "
            f"of {batch}; change execution.micro_batch or execution.processes"
        )
    return Geometry(batch, micro, world, rank)


def fitting(batch: int, bytes_each: float, room: float) -> list[int]:
    """Micro-batches that divide `batch` and whose activations fit into `room` bytes, largest
    first; 1 is always among them."""
    world, _ = processes()
    divide = [size for size in range(1, batch // world + 1) if batch % (size * world) == 0]
    return [size for size in reversed(divide) if size == 1 or size * bytes_each <= room]


def surviving(sizes: Sequence[int], trial: Callable[[int], None]) -> int:
    """The first of `sizes` that every process can train on; ConfigError where none is."""
    for size in sizes:
        try:
            trial(size)
            fits = True
        except torch.OutOfMemoryError:
            fits = False
        if all(gather_object([fits])):
            return size
    raise ConfigError(
        "execution.micro_batch: not even one example fits into memory; lower align.max_tokens, or "
        "set execution.gradient_checkpointing: true, align.adapter, or more execution.processes "
        "with launcher: fsdp2"
    )


def room(device: torch.device, model: torch.nn.Module) -> float:
    """Bytes that activations may take, once gradients and an optimizer state have their place."""
    trained = sum(item.numel() * 4 for item in model.parameters() if item.requires_grad)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = psutil.virtual_memory().available
    return ROOM * max(0, free - 2 * trained)


def activation_bytes(forward: Callable[[], Any], model: torch.nn.Module) -> int:
    """Bytes that a forward pass keeps for its backward pass, weights not counted."""
    weights = {item.untyped_storage().data_ptr() for item in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = forward()
    del result
    return sum(kept.values())


def choose(policy: Policy, longest: Group, batch: int, execution: Execution) -> Geometry:
    """How a global batch is cut: as the config says, or by what its longest example needs.

    On a GPU the answer is tried, with smaller ones after it where memory does not suffice.
    """
    if execution.micro_batch != "auto":
        return solve(batch, execution.micro_batch)

    def trial(size: int) -> None:
        policy(policy.pack([longest] * size).to(policy.device)).sum().backward()
        policy.zero_grad()

    rows = policy.pack([longest]).to(policy.device)
    each = activation_bytes(lambda: policy(rows), policy)
    sizes = fitting(batch, each, room(policy.device, policy))
    return solve(batch, surviving(sizes, trial) if policy.device.type == "cuda" else sizes[0])
