"""Stage align."""

from contextlib import nullcontext
from functools import cache
from pathlib import Path

from plumbline import config
from plumbline.again import making, remember
from plumbline.layout import Run, SettingFolder
from plumbline.train.geometry import first
from plumbline.train.run import Bench


def run(experiment: Path, records: list[Path]) -> None:
    """Train every run of the job, and say how each ended."""
    chosen = config.read(experiment)

    @cache
    def bench(setting: str, method: str) -> Bench:
        return Bench(chosen, SettingFolder(setting), method)

    with making(records) if first() else nullcontext():
        for number, path in enumerate(records, 1):
            one = Run.of_record(path)
            print(f"[{number}/{len(records)}] {one.method} {one.point} seed {one.seed}", flush=True)
            print(bench(one.setting, one.method).train(one), flush=True)
            if first():
                remember(path)
