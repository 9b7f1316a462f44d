"""How long the DAG of a large tournament takes to plan, and how much memory: nothing is run.

python -m bench.scale                 40 methods, 5 points, 3 seeds, 2 settings: 1,200 runs
python -m bench.scale --seeds 30      the next factor of ten
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from bench.driver import HOME
from plumbline import config, plugins

METHODS, POINTS = 40, 5
#: What a checkout needs to run the workflow.
PARTS = ("Snakefile", "workflow", "profiles", "losses", "benchmarks", "config", "environment.yml")


def main() -> None:
    """Command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale")
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in PARTS:
            (home / part).symlink_to(HOME / part)
        raw = tournament(seeds)
        (home / "scale.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), "utf-8")
        experiment = config.parse(raw)
        folders = experiment.setting_folders().values()
        runs = sum(len(experiment.runs(one, name)) for one in folders for name in raw["methods"])
        print(f"{len(raw['methods'])} methods, {len(raw['settings'])} settings, {runs:,} runs")
        programs = Path(sys.executable).parent
        snakemake = [programs / "snakemake", "-n", "-q", "all", "--cores", "2"]
        measure("snakemake -n", [*snakemake, "--configfile", "scale.yaml"], home)
        measure("plumbline plan", [programs / "plumbline", "plan", "scale.yaml"], home)


def measure(name: str, command: list[Any], home: Path) -> None:
    """Print the seconds and the peak memory of a command."""
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.perf_counter() - started, used.ru_utime + used.ru_stime
    print(
        f"{name}: {wall:.1f} s, {cpu:.1f} CPU s, {used.ru_maxrss / 1024:.0f} MiB at the peak, "
        f"exit code {process.returncode}",
        flush=True,
    )


def tournament(seeds: int) -> dict[str, Any]:
    """config/quickstart.yaml with 40 methods of five points each, and a second setting."""
    raw = yaml.safe_load((HOME / "config" / "quickstart.yaml").read_text("utf-8"))
    [setting] = raw["settings"].values()
    second = setting | {"data": setting["data"] | {"seed": 1}}
    raw |= {
        "experiment": "scale",
        "settings": {"one": setting, "two": second},
        "methods": {name: {key: values} for name, key, values in islice(grids(), METHODS)},
        "grid_points": POINTS,
        "seeds": list(range(seeds)),
        "allow_unbounded": True,
    }
    return raw


def grids() -> Iterator[tuple[str, str, list[float]]]:
    """Every shipped method that has a hyperparameter with five admissible values near its own."""
    for path in plugins.names_in(plugins.METHODS):
        spec = plugins.method_spec(path.stem)
        for item in spec.hyperparameters:
            own = item.default or 0.1
            values = [own * (1 - 0.1 * step) for step in range(POINTS)]
            if own > 0 and all(item.problem(value) is None for value in values):
                yield spec.name, item.name, values
                break


if __name__ == "__main__":
    main()
