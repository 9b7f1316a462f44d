"""The whole suite on Toyland: our command line, as the workflow calls it, against two TRL loops.

`documented` is the loop as TRL's documentation shows it, `tuned` the same loop in the fastest
settings that are exact on a CPU. Data, pretraining and fine-tuning are made once before and are not
counted. SFT needs no run, so five methods are left, at each beta and seed; all three sides take
turns, method by method.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, chdir
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.conversations import as_trl
from bench.driver import HOME, Worker, environment, worker
from plumbline import config
from plumbline.artifacts import read_rows
from plumbline.config import Experiment
from plumbline.data import views
from plumbline.layout import Run, SettingFolder

METHODS = ("dpo", "kto", "nca", "pro_p", "pro_b")
BETAS = (0.1, 0.3, 1.0)
SEEDS = (0, 1)
#: TRL's loop measures nothing while it trains; this is the least that our runs can do.
FEW_PROBES = {"probe_every": 1000, "probe_rows": 1, "probe_benchmark": None}

Row = dict[str, Any]


#: The settings that decide TRL's speed and that its documentation leaves at their defaults.
SPEED = ["bf16", "gradient_checkpointing", "precompute_ref_log_probs"]
#: Each TRL loop, and the settings of its trainers that it leaves at their defaults.
LOOPS = {"documented": SPEED, "tuned": []}


def measure(betas: int, seeds: int) -> list[Row]:
    """CPU and wall seconds of each part on each side, at the first so many betas and seeds."""
    with TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        experiment = _experiment(BETAS[:betas], SEEDS[:seeds])
        [(setting, folders)] = [
            (experiment.settings[key], item) for key, item in experiment.setting_folders().items()
        ]
        path = experiment.write()
        for stage in ("data", "pretrain", "sft"):
            _plumbline(stage, path, folders.name)
        _hand_over(folder, folders, setting.data.seed)
        with ExitStack() as stack:
            loops = {
                side: stack.enter_context(
                    worker("bench.trl_loop", {"folder": name, "side": side, "left to TRL": left})
                )
                for side, left in LOOPS.items()
            }
            return list(_turns(experiment, path, folders, loops))


def _experiment(betas: tuple[float, ...], seeds: tuple[int, ...]) -> Experiment:
    """The quickstart's, with other betas and seeds and hardly a probe."""
    raw = yaml.safe_load((HOME / "config" / "quickstart.yaml").read_text("utf-8"))
    raw["methods"] = {name: raw["methods"][name] | {"beta": list(betas)} for name in METHODS}
    raw |= {"experiment": "bench", "seeds": list(seeds), "grid_points": len(betas)}
    raw["settings"]["toyland"]["align"] |= FEW_PROBES
    return config.parse(raw)


def _hand_over(folder: Path, folders: SettingFolder, seed: int) -> None:
    """The same SFT model and feedback for TRL.

    Singles are shuffled, since TRL rotates neighbours for KTO and a pair's two share a prompt.
    """
    (folder / "sft").symlink_to(folders.sft.model.resolve())
    rows = read_rows(folders.data("train"))
    singles = views.singles(rows, seed)
    Random(seed).shuffle(singles)
    for name, given in (("pairs", views.pairs(rows)), ("singles", singles)):
        lines = (json.dumps(row) for item in given for row in as_trl(item))
        (folder / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")


def _turns(
    experiment: Experiment, path: Path, folders: SettingFolder, loops: dict[str, Worker]
) -> Iterator[Row]:
    """Each part when it is done: TRL's imports, our references, then method after method."""
    for side, loop in loops.items():
        yield _said("imports", side, loop.answer())
    for feedback in ("pairs", "singles"):
        seconds = _plumbline("reference", path, folders.name, feedback)
        yield _said(f"reference, {feedback}", "ours", seconds)
    for method in METHODS:
        for number, runs in enumerate(_jobs(experiment, folders, method), 1):
            records = [str(run.record) for run in runs]
            yield _said(f"{method}, job {number}", "ours", _plumbline("align", path, *records))
        betas = [point["beta"] for point in experiment.points(method)]
        order = {"method": method, "betas": betas, "seeds": experiment.seeds}
        for side, loop in loops.items():
            yield _said(method, side, loop.ask(json.dumps(order)))


def _jobs(experiment: Experiment, folders: SettingFolder, method: str) -> Iterable[list[Run]]:
    """Runs of a method, in the jobs in which workflow/rules/common.smk puts them."""
    needs = len(experiment.method(method).card.needs)
    size = max(1, experiment.execution.runs_per_job // max(1, needs))
    runs = experiment.runs(folders, method)
    return [runs[start : start + size] for start in range(0, len(runs), size)]


def _plumbline(command: str, *arguments: str | Path) -> dict[str, float]:
    """CPU seconds (with its children's) and wall seconds of one call of our command line."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    program = Path(sys.executable).parent / "plumbline"
    subprocess.run(
        [program, command, *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - started}


def _said(part: str, side: str, seconds: dict[str, float]) -> Row:
    print(
        f"suite: {side}, {part}: {seconds['cpu']:.1f} CPU s, {seconds['wall']:.1f} wall", flush=True
    )
    return {"part": part, "side": side, "cpu": seconds["cpu"], "wall": seconds["wall"]}
