"""Which models a generate or score job works on: a run and the folder of its answers and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from plumbline.artifacts import read_json
from plumbline.config import Experiment
from plumbline.errors import IntegrityError
from plumbline.layout import Evaluation, Run, SettingFolder, selected, tested
from plumbline.plugins import SFT


@dataclass(frozen=True)
class Target:
    """One model on one split. run is None where no point of the method could be selected."""

    setting: str
    method: str
    seed: int
    run: Run | None
    evaluation: Evaluation

    @property
    def record(self) -> dict[str, Any]:
        """The run's record; status "diverged" where nothing could be selected."""
        return read_json(self.run.record) if self.run else {"status": "diverged", "model": None}

    @property
    def model_folder(self) -> Path:
        """Where the model's weights lie; IntegrityError where they have been removed."""
        if self.method == SFT:
            return SettingFolder(self.setting).sft.model
        if not self.run.model.is_dir():
            raise IntegrityError(
                f"{self.run.folder} has no model any more (execution.keep_models), but one is "
                f"needed; to train it again, type `rm {quote(str(self.run.record))}` and run again"
            )
        return self.run.model

    @property
    def name(self) -> str:
        """How evaluators and item rows label the model."""
        return f"{self.method}-seed{self.seed}"


def validation_targets(records: list[Path]) -> Iterator[Target]:
    """Every run, given its `run.json`."""
    for path in records:
        run = Run.of_record(path)
        yield Target(run.setting, run.method, run.seed, run, run.evaluation())


def test_targets(experiment: Experiment, selections: list[Path]) -> Iterator[Target]:
    """What is tested of each method, given the selection files: its selected point, or its whole
    grid. Raises IntegrityError where a method has not been selected."""
    found = {"selected": of_selection, "grid": of_grid}[experiment.tested]
    for path in selections:
        yield from found(experiment, selection(path))


def selection(path: Path) -> dict[str, Any]:
    """A selection file. Raises IntegrityError where there is none: nothing is tested before."""
    if not path.is_file():
        raise IntegrityError(
            f"{path} is not there: a method has no test scores before its point was selected on "
            f"validation; type `snakemake --cores 2 {quote(str(path))} --configfile FILE` "
            "first, with the experiment's file"
        )
    return read_json(path)


def of_selection(experiment: Experiment, choice: dict[str, Any]) -> Iterator[Target]:
    """The selected point of a method, for each seed."""
    folders = SettingFolder(choice["setting"])
    method, point = choice["method"], choice["point"]
    for seed in experiment.seeds_of(method):
        run = folders.run(method, point, seed) if point else None
        evaluation = selected(folders, experiment.experiment, method, seed)
        yield Target(folders.name, method, seed, run, evaluation)


def of_grid(experiment: Experiment, choice: dict[str, Any]) -> Iterator[Target]:
    """Every run of a method that was selected."""
    folders = SettingFolder(choice["setting"])
    for run in experiment.runs(folders, choice["method"]):
        evaluation = tested(folders, experiment.experiment, run)
        yield Target(folders.name, run.method, run.seed, run, evaluation)


def targets(experiment: Experiment, split: str, paths: list[Path]) -> Iterator[Target]:
    """The models of a job: runs on validation, what is tested of selected methods on test."""
    if split == "validation":
        return validation_targets(paths)
    return test_targets(experiment, paths)
