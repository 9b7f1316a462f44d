"""How fast a device is assumed to be, where nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from plumbline.config import Experiment
from plumbline.errors import ConfigError
from plumbline.operate.plan.operations import Work


@dataclass(frozen=True)
class Device:
    """passed: operations a second that one of them gets done in training and passes; written: while
    it writes answers token by token. source: who says so."""

    name: str
    passed: float
    written: float
    source: str


#: Shares of a GPU's peak that are assumed: no GPU was at hand to measure them.
TRAINING, WRITING = 0.3, 0.03


def _gpu(name: str, peak: float, source: str) -> Device:
    told = f"{TRAINING:.0%} of {peak:.3g} FLOP/s in training, {WRITING:.0%} in writing; {source}"
    return Device(name, TRAINING * peak, WRITING * peak, told)


DEVICES = {
    "h100": _gpu("h100", 989e12, "peak: NVIDIA's data sheet of H100 SXM, dense bf16"),
    "a100": _gpu("a100", 312e12, "peak: NVIDIA's data sheet of A100, dense bf16"),
    "core": Device(
        "core",
        1.2e11,
        1.2e10,
        "1.2e+11 FLOP/s in training: docs/performance.md, (b); a tenth of it in writing",
    ),
}


def device(experiment: Experiment, name: str | None, rate: float | None) -> Device:
    """The device of an experiment's jobs: the one named, else an H100 where they ask for GPUs and a
    core where not. rate: operations a second in training that are assumed instead."""
    name = name or ("h100" if experiment.execution.gpus_per_run else "core")
    if name not in DEVICES:
        raise ConfigError(f"--device: got {name!r}; known: {', '.join(DEVICES)}")
    found = DEVICES[name]
    if rate is None:
        return found
    share = found.written / found.passed
    told = f"{rate:.3g} FLOP/s in training, {share:.0%} of it in writing; as you say"
    return replace(found, passed=rate, written=rate * share, source=told)


def seconds(work: Work, device: Device, count: int) -> float:
    """How long `count` devices work on it together."""
    return (work.passed / device.passed + work.written / device.written) / count
