"""Where everything lies under `results/`. No other module builds a path from strings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from plumbline.batches import AUXILIARY
from plumbline.errors import IntegrityError

RESULTS = Path("results")
SEED = re.compile(r"seed=-?\d+")


def point_name(hyperparameters: dict[str, float | str | bool]) -> str:
    """The folder name of a grid point: sorted `key=repr(value)`, so 0.10 and 1e-1 are one point."""
    pairs = (f"{key}={_spell(value)}" for key, value in sorted(hyperparameters.items()))
    return ",".join(pairs) or "default"


def _spell(value: float | str | bool) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return repr(float(value)) if is_number else str(value)


@dataclass(frozen=True)
class ModelFolder:
    """The model of a stage, and its record, written last."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def record(self) -> Path:
        return self.folder / "record.json"

    @property
    def work(self) -> Path:
        return self.folder / "work"


@dataclass(frozen=True)
class Auxiliary(ModelFolder):
    """A model that only serves the training of others, trained as a run is."""

    #: Of its training: there is one such model, whatever the seeds of the experiment.
    seed: int = 0

    @property
    def dynamics(self) -> Path:
        return self.folder / "dynamics.parquet"

    @property
    def probes(self) -> Path:
        """Answers given while training."""
        return self.folder / "probes.parquet"


@dataclass(frozen=True)
class SettingFolder:
    """Model + data + SFT + alignment recipe: what experiments may share."""

    name: str

    @property
    def folder(self) -> Path:
        return RESULTS / self.name

    @property
    def record(self) -> Path:
        return self.folder / "setting.json"

    @property
    def data_record(self) -> Path:
        return self.folder / "data" / "data.json"

    def data(self, split: str) -> Path:
        return self.folder / "data" / f"{split}.parquet"

    @property
    def pretrain(self) -> ModelFolder:
        return ModelFolder(self.folder / "pretrain")

    @property
    def sft(self) -> ModelFolder:
        return ModelFolder(self.folder / "sft")

    def reference(self, feedback: str) -> Path:
        return self.folder / "reference" / f"{feedback}.parquet"

    def annotation(self, feedback: str, need: str) -> Path:
        """What some methods need to know of each completion token."""
        return self.folder / "reference" / f"{feedback}.{need}.parquet"

    def auxiliary(self, side: str) -> Auxiliary:
        """The model that prefers this side of the pairs."""
        return Auxiliary(self.folder / "auxiliary" / side)

    def auxiliaries(self, need: str) -> list[Auxiliary]:
        """The models, beside the reference, that a need's pass asks."""
        return [self.auxiliary(side) for side in AUXILIARY.get(need, ())]

    def embeddings(self, feedback: str) -> Path:
        return self.folder / "embeddings" / f"{feedback}.parquet"

    def rewards(self, reward: str) -> Path:
        """What a trained reward says of the answers to prompts that it was not trained on."""
        return self.folder / "rewards" / f"{reward}.parquet"

    def run(self, method: str, point: str, seed: int) -> Run:
        return Run(self.name, method, point, seed)

    def contamination(self, split: str, benchmark: str) -> Path:
        """Which of a benchmark's items are in the training prompts."""
        return self.folder / "contamination" / split / f"{benchmark}.parquet"

    def selection(self, experiment: str, method: str) -> Path:
        return self.folder / "selection" / experiment / f"{method}.json"

    def tested(self, experiment: str, method: str) -> list[Path]:
        """Test scores of a method in an experiment, those that are there."""
        folder = self.folder / "selection" / experiment / method
        return sorted(folder.glob("**/scores/*/test/rows.parquet"))

    def passes(self) -> list[Path]:
        """What passes over the training rows have left, and the models that served them."""
        folders = ("reference", "embeddings", "rewards")
        passes = [path for name in folders for path in self.folder.glob(f"{name}/*.parquet")]
        return sorted([*passes, *self.folder.glob("auxiliary/*/record.json")])

    def selections(self, method: str) -> list[Path]:
        """A method's selection files that are there, of all experiments."""
        return sorted(self.folder.glob(f"selection/*/{method}.json"))


@dataclass(frozen=True)
class Run:
    """One trained model: a method at a grid point with an alignment seed."""

    setting: str
    method: str
    point: str
    seed: int

    @property
    def folder(self) -> Path:
        return RESULTS / self.setting / "runs" / self.method / self.point / f"seed={self.seed}"

    @property
    def record(self) -> Path:
        """The declared output of training, written last."""
        return self.folder / "run.json"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def dynamics(self) -> Path:
        return self.folder / "dynamics.parquet"

    @property
    def probes(self) -> Path:
        """Answers given while training."""
        return self.folder / "probes.parquet"

    def probe_rows(self, benchmark: str) -> Path:
        """Scores of these answers."""
        return self.folder / "scores" / benchmark / "probes.parquet"

    def evaluation(self) -> Evaluation:
        """Where this run's validation answers and scores lie."""
        return Evaluation(self.folder, "validation")

    @classmethod
    def of_record(cls, path: Path) -> Run:
        """The run whose `run.json` lies at `path`."""
        match path.parts[-6:]:
            case setting, "runs", method, point, seed, "run.json" if SEED.fullmatch(seed):
                return cls(setting, method, point, int(seed.removeprefix("seed=")))
        raise IntegrityError(f"{path} is not .../runs/METHOD/POINT/seed=N/run.json")


@dataclass(frozen=True)
class Evaluation:
    """The answers and scores of one model on one split."""

    folder: Path
    split: str

    @property
    def answers(self) -> Path:
        """All answers: one process writes them at a time."""
        return self.folder / "responses" / self.split

    def scored(self, benchmark: str) -> Path:
        """All that scoring leaves of a benchmark: one process writes it at a time."""
        return self.folder / "scores" / benchmark / self.split

    def responses(self, benchmark: str) -> Path:
        return self.answers / f"{benchmark}.parquet"

    def canary(self, benchmark: str) -> Path:
        """Token ids of one rendered conversation: proof of the chat format."""
        return self.answers / f"{benchmark}.canary.json"

    def answered(self, benchmark: str) -> Path:
        """Who answered, and how many answers are empty, unfinished, cut or missing."""
        return self.answers / f"{benchmark}.answered.json"

    def items(self, benchmark: str) -> Path:
        return self.scored(benchmark) / "items.parquet"

    def rows(self, benchmark: str) -> Path:
        """Written last: where this exists, the items beside it are complete."""
        return self.scored(benchmark) / "rows.parquet"

    def scratch(self, benchmark: str) -> Path:
        return self.scored(benchmark) / "scratch"


def selected(setting: SettingFolder, experiment: str, method: str, seed: int) -> Evaluation:
    """Where the test answers and scores of the selected point lie.

    They are kept under the selection, not under the point, because the point is not known when
    the DAG is drawn.
    """
    folder = setting.folder / "selection" / experiment / method / f"seed={seed}"
    return Evaluation(folder, "test")


def tested(setting: SettingFolder, experiment: str, run: Run) -> Evaluation:
    """Where a run's test answers and scores lie in an experiment that tests its whole grid.

    Under the selection too: no point has a test score before its method has been selected.
    """
    folder = setting.folder / "selection" / experiment / run.method / "grid" / run.point
    return Evaluation(folder / f"seed={run.seed}", "test")


@dataclass(frozen=True)
class ExperimentFolder:
    """What an experiment owns: its rows, tables, figures and page."""

    name: str

    @property
    def folder(self) -> Path:
        return RESULTS / "experiments" / self.name

    def resolved(self, digest: str) -> Path:
        """The experiment file as it was read, overrides included."""
        return self.folder / "config" / f"{digest}.json"

    @property
    def provenance(self) -> Path:
        """Who made each file that the tables are made from, and in which environment."""
        return self.folder / "provenance.json"

    @property
    def audit(self) -> Path:
        """The judge's audit as it was when the tables were made."""
        return self.folder / "audit.json"

    @property
    def apart(self) -> Path:
        """Of two merged archives: why settings do not stand in one table with others."""
        return self.folder / "apart.json"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.parquet"

    @property
    def items(self) -> Path:
        return self.folder / "items.parquet"

    @property
    def dynamics(self) -> Path:
        return self.folder / "dynamics.parquet"

    @property
    def tables(self) -> Path:
        """A folder of tables for each setting, by its name in the experiment file."""
        return self.folder / "tables"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


def parts(path: Path) -> Path:
    """Where the parts of a file lie, of a pass that has not ended."""
    return path.with_suffix(".parts")


def moved(path: Path, setting: SettingFolder, experiment: str) -> Path:
    """Where a file of a setting lies in another setting; a selection, in that of `experiment`."""
    inside = path.parts[len(setting.folder.parts) :]
    if inside[0] == "selection":
        inside = (inside[0], experiment, *inside[2:])
    return setting.folder.joinpath(*inside)


def kept(path: Path) -> Path:
    """The second name of a finished output, while the job that makes it has others to make."""
    return path.with_name(f".{path.name}.kept")


def lock(path: Path) -> Path:
    """Beside a folder or a file: who writes it."""
    return path.with_name(f".{path.name}.lock")


def declared(path: Path) -> Path:
    """The output that Snakemake knows a file by: once it is gone, the file is made again."""
    match path.parts[1:]:
        case _, "data", _:
            return path.with_name("data.json")
        case *_, "model", _:
            return path.parent.with_name("run.json" if "runs" in path.parts else "record.json")
        case *_, "runs", _, _, _, _:
            return path.with_name("run.json")
        case *_, "items.parquet" if "scores" in path.parts:
            return path.with_name("rows.parquet")
    return path


def trace(path: Path) -> Path:
    """Beside a file: the command, the environment and the seconds that made it."""
    return path.with_name(f"{path.name}.made.json")


def environment(name: str) -> Path:
    """Versions and machine of the processes that made files, by their digest."""
    return RESULTS / "environments" / f"{name}.json"


def ledger() -> Path:
    """Every judgment. On a disk of this machine: SQLite's locks do not hold on network disks."""
    return Path(os.environ.get("PLUMBLINE_LEDGER", RESULTS / "ledger" / "ledger.sqlite"))


def shared() -> list[Path]:
    """Folders in which every experiment leaves something, and the one Snakemake keeps."""
    names = ("environments", "logs", "timings")
    return [Path(".snakemake"), ledger().parent, *(RESULTS / name for name in names)]


def log(stage: str, *names: str) -> Path:
    """The log of one job."""
    return (RESULTS / "logs" / stage).joinpath(*names[:-1], f"{names[-1]}.log")


def running_note(log: Path) -> Path:
    """Beside a job's log, for as long as the job runs: which process it is."""
    return log.with_suffix(".running.json")


def error_note(log: Path) -> Path:
    """Beside a job's log, where its last start ended in an error: which one."""
    return log.with_suffix(".error.json")


def timing(stage: str, *names: str) -> Path:
    """The wall seconds, CPU seconds and peak memory of one job."""
    return (RESULTS / "timings" / stage).joinpath(*names[:-1], f"{names[-1]}.tsv")
