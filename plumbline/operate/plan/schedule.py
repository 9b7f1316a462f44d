"""How long a list of jobs takes on so many cores, GPUs and places: simple list scheduling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any

import yaml

from plumbline.errors import ConfigError
from plumbline.operate.plan.estimate import Estimate

#: Rules that stay where Snakemake runs.
LOCAL = ("score", "select", "aggregate", "report")
#: The order in which stages can begin; those of one level wait for each other no further.
LEVELS = (
    *(("data", None), ("pretrain", None), ("sft", None), ("reference", None)),
    *(("reward", None), ("embed", None), ("auxiliary", None), ("annotate", None)),
    *(("align", None), ("generate", "validation"), ("score", "validation"), ("select", None)),
    *(("generate", "test"), ("score", "test"), ("aggregate", None), ("report", None)),
)


@dataclass(frozen=True)
class Places:
    """jobs: that run at a time on nodes, or on this machine where `local` is None. local: cores of
    the head node for what stays on it. gpus: cards here, None where nodes have their own.
    """

    jobs: int
    local: int | None = None
    gpus: int | None = None


#: The cores that `make demo` takes where nothing else is said, and the GPU of profiles/default.
LAPTOP = Places(jobs=2, gpus=1)


def of_profile(folder: Path) -> Places:
    """What a profile lets run at a time; ConfigError where it has no config.yaml."""
    file = folder / "config.yaml"
    if not file.is_file():
        raise ConfigError(f"--profile: no {file}; name a folder such as profiles/slurm")
    keys: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    gpus = gpus_of(keys.get("resources", []))
    if "executor" in keys:
        return Places(int(keys.get("jobs", 1)), int(keys.get("local-cores", 1)), gpus)
    return Places(int(keys.get("cores", LAPTOP.jobs)), None, LAPTOP.gpus if gpus is None else gpus)


def gpus_of(resources: Any) -> int | None:
    """The number of `gpu` among a profile's resources, as a list of `name=number` or a mapping."""
    pairs = resources if isinstance(resources, dict) else dict(x.split("=") for x in resources)
    return int(pairs["gpu"]) if "gpu" in pairs else None


def wall(estimates: Iterable[Estimate], places: Places) -> float:
    """Seconds until the last job ends; a job whose time is not known counts as none.

    Jobs are placed level by level, each as early as a place is free and those that it waits for
    have ended: the jobs of earlier levels for its setting and its methods.
    """
    ended: dict[tuple[str | None, str | None], float] = defaultdict(float)
    pools = _pools(places)
    levels = defaultdict(list)
    for item in estimates:
        levels[LEVELS.index((item.job.stage, item.job.split))].append(item)
    for level in sorted(levels):
        done = [(item, _place(item, _ready(item, ended), pools)) for item in levels[level]]
        for item, end in done:
            for key in _keys(item):
                ended[key] = max(ended[key], end)
    return max(ended.values(), default=0.0)


def _keys(item: Estimate) -> list[tuple[str | None, str | None]]:
    setting = item.job.setting.name if item.job.setting else None
    return [(setting, method) for method in item.job.methods or (None,)]


def _ready(item: Estimate, ended: dict[tuple[str | None, str | None], float]) -> float:
    if item.job.setting is None:
        return max(ended.values(), default=0.0)
    return max(ended[key] for key in [*_keys(item), (item.job.setting.name, None)])


def _pools(places: Places) -> dict[str, list[float]]:
    nodes = [0.0] * places.jobs
    pools = {"nodes": nodes, "local": nodes if places.local is None else [0.0] * places.local}
    if places.gpus is not None:
        pools["gpus"] = [0.0] * max(1, places.gpus)
    return pools


def _place(item: Estimate, ready: float, pools: dict[str, list[float]]) -> float:
    """When a job ends that takes the place which is free first, and its GPUs."""
    places = [pools["local" if item.job.stage in LOCAL else "nodes"]]
    cards = pools.get("gpus") if item.gpus else None
    taken = min(item.gpus, len(cards)) if cards else 0
    free = sorted(cards)[taken - 1] if cards else 0.0
    end = max(ready, places[0][0], free) + (item.seconds or 0.0)
    heapreplace(places[0], end)
    if cards:
        cards[:] = sorted(cards)[taken:] + [end] * taken
        heapify(cards)
    return end
