"""What of one archive moves into another, and under which names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from plumbline.artifacts import read_json, read_rows, write_json, write_text
from plumbline.config import Experiment
from plumbline.errors import IntegrityError
from plumbline.layout import RESULTS, ExperimentFolder, SettingFolder, moved
from plumbline.operate.archive import EXPERIMENTS, JUDGMENTS, METADATA
from plumbline.rows import ITEM, RESULT, RUN_DYNAMICS

Row = dict[str, Any]
#: The collected tables of an experiment, with their schemas.
COLLECTED: tuple[tuple[Callable[[ExperimentFolder], Path], pa.Schema], ...] = (
    (lambda folder: folder.rows, RESULT),
    (lambda folder: folder.items, ITEM),
    (lambda folder: folder.dynamics, RUN_DYNAMICS),
)


@dataclass(frozen=True)
class Part:
    """One setting of one experiment of an unpacked archive. folder: where that is unpacked."""

    folder: Path
    experiment: Experiment
    name: str

    @property
    def setting(self) -> SettingFolder:
        """The setting's own folder, below `folder`."""
        return self.experiment.setting_folders()[self.name]

    def rows(self, collected: Callable[[ExperimentFolder], Path]) -> list[Row]:
        """The setting's rows of one of `COLLECTED`."""
        rows = read_rows(self.folder / collected(self.experiment.folder))
        return [row for row in rows if row["setting"] == self.setting.name]


@dataclass(frozen=True)
class Move:
    """A setting on its way into the archive `folder`, as setting `name` of `experiment`."""

    folder: Path
    part: Part
    name: str
    experiment: str

    @property
    def setting(self) -> SettingFolder:
        """Where it will lie."""
        return self.part.experiment.settings[self.part.name].folder(self.name)

    def target(self, path: Path) -> Path:
        """Where one of the setting's files will lie."""
        return moved(path, self.setting, self.experiment)

    def rows(self, collected: Callable[[ExperimentFolder], Path], schema: pa.Schema) -> list[Row]:
        """The setting's rows of one of `COLLECTED`, under their new names."""
        labels = {"setting": self.setting.name, "experiment": self.experiment}
        new = {key: value for key, value in labels.items() if key in schema.names}
        return [row | new for row in self.part.rows(collected)]

    def files(self) -> None:
        """Copy what is not there yet. IntegrityError where a run or a selection is another one."""
        there = (self.part.folder / self.part.setting.folder).rglob("*")
        for path in sorted(filter(Path.is_file, there)):
            target = self.folder / self.target(path.relative_to(self.part.folder))
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                self.copy(path, target)
            elif differs(path, target):
                name = target.relative_to(self.folder)
                raise IntegrityError(
                    f"{name}: the two archives hold two of them that are not the same: what one "
                    "selected or trained, the other did not; run them as one experiment"
                )

    def copy(self, path: Path, target: Path) -> None:
        """Copy a file; a selection names the setting that it is of."""
        if kind_of(path) == "selection":
            write_json(target, read_json(path) | {"setting": self.setting.name})
        else:
            shutil.copyfile(path, target)

    def provenance(self) -> None:
        """Add who made the setting's files."""
        theirs = read_json(self.part.folder / self.part.experiment.folder.provenance)
        files = {
            str(self.target(Path(path))): trace
            for path, trace in theirs["files"].items()
            if Path(path).is_relative_to(self.part.setting.folder)
        }
        path = self.folder / ExperimentFolder(self.experiment).provenance
        mine = read_json(path) if path.is_file() else {"files": {}, "environments": {}}
        environments = theirs["environments"] | mine["environments"]
        write_json(path, {"files": files | mine["files"], "environments": environments})


#: What two archives must agree on in the records that both have.
AGREED = {"run.json": ("model", "status"), "selection": ("point", "candidates")}


def differs(path: Path, other: Path) -> bool:
    """Whether two records of one name are of different runs or choices."""
    keys = AGREED.get(kind_of(path), ())
    one, two = (read_json(item) if keys else {} for item in (path, other))
    return any(one[key] != two[key] for key in keys)


def kind_of(path: Path) -> str:
    """A key of `AGREED`, or any other word."""
    return path.name if path.name == "run.json" else path.parents[1].name


def copy_code(folder: Path, other: Path) -> None:
    """Add the second archive's code, methods, benchmarks and experiment files; what the first has
    otherwise lies under `also/`."""
    for path in sorted(item for item in other.rglob("*") if item.is_file()):
        name = path.relative_to(other)
        if name.is_relative_to(RESULTS) or str(name) in (METADATA, JUDGMENTS):
            continue
        mine = folder / name
        if mine.is_file() and mine.read_bytes() == path.read_bytes():
            continue
        target = folder / "also" / name if mine.is_file() or name.parts[0] == EXPERIMENTS else mine
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def add_judgments(folder: Path, other: Path) -> None:
    """Add the second archive's judgments, where it has some; a known question keeps its answer."""
    lines = [
        line
        for place in (other, folder)
        if (place / JUDGMENTS).is_file()
        for line in (place / JUDGMENTS).read_text(encoding="utf-8").splitlines()
    ]
    by_key = {json.loads(line)["key"]: line for line in lines}
    if by_key:
        text = "".join(f"{by_key[key]}\n" for key in sorted(by_key))
        write_text(folder / JUDGMENTS, text)
