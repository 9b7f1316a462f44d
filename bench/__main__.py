"""Measure everything, print it, and put it into docs/performance.md.

python -m bench                            all of it
python -m bench --only steps,startup       some parts; the page is left alone
python -m bench --only suite --suite-betas 1 --suite-seeds 1    a trial
python -m bench --show one.json other.json parts that were measured apart, put together
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import startup, steps, suite, table
from bench.driver import HOME

PAGE = HOME / "docs" / "performance.md"
PARTS = ("startup", "memory", "steps", "pro", "suite")
#: Repeats of a start, which takes a fraction of a second.
STARTS = 7


def main() -> None:
    """Command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--repeats", type=int, default=15, help="of each step comparison")
    parser.add_argument("--suite-betas", type=int, default=len(suite.BETAS))
    parser.add_argument("--suite-seeds", type=int, default=len(suite.SEEDS))
    parser.add_argument("--raw", type=Path, help="also keep every number in this JSON file")
    parser.add_argument("--show", type=Path, nargs="+", help="measure nothing, show such files")
    asked = parser.parse_args()
    if asked.show:
        files = [json.loads(path.read_text("utf-8")) for path in asked.show]
        found = {part: numbers for file in files for part, numbers in file.items()}
    else:
        found = {name: measure(name, asked) for name in PARTS if name in asked.only.split(",")}
    if asked.raw:
        asked.raw.write_text(json.dumps(found), "utf-8")
    text = table.markdown(found, machine())
    print(text)
    if found.keys() == set(PARTS):
        PAGE.write_text(table.filled(PAGE.read_text("utf-8"), text), "utf-8")


def measure(part: str, asked: argparse.Namespace) -> Any:
    """One part, as `table` takes it."""
    if part == "startup":
        return list(startup.measure(STARTS))
    if part == "memory":
        return [steps.memory(task) for group in steps.FRESH_GROUPS for task in group]
    if part == "steps":
        return [steps.times(group, asked.repeats) for group in steps.GROUPS]
    if part == "pro":
        return steps.times(steps.PRO, asked.repeats)
    return suite.measure(asked.suite_betas, asked.suite_seeds)


def machine() -> dict[str, str]:
    """What the numbers belong to."""
    packages = ("torch", "transformers", "trl", "plumbline")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, one thread a process",
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
