"""What the models of a run take on the disk; answers, scores and tables are small beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plumbline import layout
from plumbline.config import Experiment
from plumbline.layout import SettingFolder
from plumbline.operate.plan.estimate import MEASURED, MODEL, UNKNOWN
from plumbline.operate.plan.sizes import stored_bytes


@dataclass(frozen=True)
class Disk:
    """Models of a setting. most: that lie there at a time; after: that stay; there: that lie there
    now. size: bytes of one, None where nobody knows. Checkpoints of runs under way come on top."""

    setting: str
    most: int
    after: int
    there: int
    size: float | None
    basis: str

    @property
    def gigabytes(self) -> float | None:
        """At the most, in 1e9 bytes."""
        return None if self.size is None else self.most * self.size / 1e9


def disk(experiment: Experiment, results: Path) -> Iterator[Disk]:
    """One for each setting."""
    for name, folders in experiment.setting_folders().items():
        trained = sum(
            len(experiment.runs(folders, method))
            for method in experiment.methods
            if experiment.is_trained(method)
        )
        base = 2 + len(experiment.models)
        chosen = len(experiment.seeds) * sum(map(experiment.is_trained, experiment.methods))
        kept = {"all": trained, "selected": chosen, "none": 0}[experiment.execution.keep_models]
        found = models(results, folders)
        measured = size_of(found[0]) if found else None
        size = measured or stored_bytes(experiment.settings[name].model)
        basis = MEASURED if measured else UNKNOWN if size is None else MODEL
        yield Disk(name, base + trained, base + kept, len(found), size, basis)


def models(results: Path, folders: SettingFolder) -> list[Path]:
    """The model folders of a setting that are there."""
    folder = results / folders.folder.relative_to(layout.RESULTS)
    return [path for path in folder.glob("**/model") if path.is_dir()]


def size_of(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
