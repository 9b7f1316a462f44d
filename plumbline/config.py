"""An experiment file as one typed object, which answers what the workflow asks of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from plumbline import mistakes, plugins
from plumbline.artifacts import digest, write_text
from plumbline.errors import ConfigError, IntegrityError
from plumbline.layout import (
    Evaluation,
    ExperimentFolder,
    Run,
    SettingFolder,
    point_name,
    selected,
    shared,
    tested,
)
from plumbline.ownership import check_may_write
from plumbline.schema import (
    NAME,
    Budget,
    Count,
    Difference,
    Execution,
    Generation,
    GivenModel,
    JudgeChoice,
    Name,
    Prompts,
    Report,
    Select,
    Setting,
    Strict,
    entry,
    grid,
)

#: The scale at which a file is what it says.
FULL = "full"
#: Objects that a scale gives anew: their keys depend on what kind they are.
WHOLE = ("data", "model")


class Experiment(Strict):
    """The whole file. See config/README.md for each key in words.

    Once parsed it is at its scale: `scale` and `scales` have said what they had to say.
    """

    experiment: Name
    settings: dict[Name, Setting]
    methods: dict[str, dict[str, Any]]
    models: dict[Name, GivenModel] = {}
    grid_points: Count
    seeds: list[int] = Field(min_length=1)
    tested: Literal["selected", "grid"] = "selected"
    benchmarks: dict[str, dict[str, Any] | None]
    select: Select
    judge: JudgeChoice
    generation: Generation | None = None
    report: Report
    differences: list[Difference] = []
    allow_unbounded: bool = False
    method_paths: list[str] = []
    benchmark_paths: list[str] = []
    execution: Execution = Execution()
    budget: Budget = Budget()
    scale: str = FULL
    scales: dict[Name, dict[str, Any]] = {}
    _methods: dict[str, plugins.MethodSpec] = PrivateAttr(default_factory=dict)
    _benchmarks: dict[str, plugins.BenchmarkSpec] = PrivateAttr(default_factory=dict)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"each seed once, got {seeds}")
        return seeds

    @model_validator(mode="after")
    def _told_apart(self) -> Experiment:
        """A server must not answer for two runs by one model's name."""
        if self.generation is None:
            return self
        runs = {
            run
            for folders in self.setting_folders().values()
            for method in self.entrants
            for run in self.runs(folders, method)
        }
        names = {self.generation.name_of(run, run.model) for run in runs}
        if len(names) < len(runs):
            raise ValueError(
                f"generation.model: {self.generation.model!r} gives {len(runs)} runs "
                f"{len(names)} name(s); tell them apart by {{model}}, or by {{setting}}, "
                "{method}, {point} and {seed}"
            )
        return self

    @model_validator(mode="after")
    def _swept_by_someone(self) -> Experiment:
        """A sweep without a number would be an empty figure at the end of a long run."""
        sweep = self.report.sweep
        if sweep is None:
            return self
        values = (
            self.swept(setting, method, point)
            for setting in self.settings
            for method in self.entrants
            for point in self.points(method)
        )
        if all(value is None for value in values):
            raise ValueError(
                f"report.sweep.key: no setting, method or variant has a number {sweep.key!r}; "
                "name e.g. data.length_bias, a hyperparameter that the file gives, or flip"
            )
        return self

    def swept(self, setting: str, method: str, point: dict[str, Any]) -> float | None:
        """Where a method's point stands on the axis of `report.sweep`; None if nowhere.

        setting: its name in the file.
        """
        found: Any = self.settings[setting].model_dump() | point
        if self.is_trained(method):
            found["flip"] = entry(self.methods, method)[0].flip
        for part in self.report.sweep.key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found if isinstance(found, (int, float)) else None

    @property
    def entrants(self) -> list[str]:
        """Who has a line in the tables, in their order: the methods, then the given models."""
        return [*self.methods, *self.models]

    def is_trained(self, name: str) -> bool:
        """Whether an entrant is trained here by a method's file: neither SFT nor a given model."""
        return name in self.methods and name != plugins.SFT

    @property
    def folder(self) -> ExperimentFolder:
        return ExperimentFolder(self.experiment)

    def write(self) -> Path:
        """Keep the experiment under its digest, as the jobs of a workflow read it.

        The order of methods and settings is kept: it is the order of the tables. Raises
        IntegrityError where this user may not write where jobs will.
        """
        check_may_write(self.folders())
        content = json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
        path = self.folder.resolved(digest(content)[:8])
        if not path.is_file():
            write_text(path, content)
        return path

    def folders(self) -> list[Path]:
        """Where the experiment's jobs write: its own folder, its settings', and what all share."""
        settings = [item.folder for item in self.setting_folders().values()]
        return [self.folder.folder, *settings, *shared()]

    def setting_folders(self) -> dict[str, SettingFolder]:
        """The folder of each setting, by its name in the file."""
        return {name: setting.folder(name) for name, setting in self.settings.items()}

    def setting_at(self, folder: str) -> Setting:
        """The setting whose folder has this name; ConfigError where none has."""
        names = {item.name: name for name, item in self.setting_folders().items()}
        if folder not in names:
            raise ConfigError(f"no setting has the folder {folder!r}; known: {', '.join(names)}")
        return self.settings[names[folder]]

    def method(self, name: str) -> plugins.MethodSpec:
        """The method's specification, from `losses/` or `method_paths`; read once. A variant has
        that of the method which it is like."""
        if name not in self._methods:
            variant, _ = entry(self.methods, name)
            folders = tuple(Path(path) for path in self.method_paths)
            self._methods[name] = plugins.method_spec(variant.like, folders)
        return self._methods[name]

    def labels(self, method: str) -> str:
        """The labels it learns from, a key of `data.labels.RULES`."""
        return entry(self.methods, method)[0].labels

    def prompts(self, method: str) -> Prompts | None:
        """Which prompts it learns from, where not from all."""
        given = entry(self.methods, method)[0].prompts
        return given and Prompts(**given)

    def relabelling(self, method: str) -> dict[str, Any]:
        """What `data.labels.scores` is told to change; {} where the data's own labels stay."""
        return entry(self.methods, method)[0].relabelling

    def benchmark(self, name: str) -> plugins.BenchmarkSpec:
        """The benchmark's specification, from `benchmarks/` or `benchmark_paths`; read once."""
        if name not in self._benchmarks:
            folders = tuple(Path(path) for path in self.benchmark_paths)
            self._benchmarks[name] = plugins.benchmark_spec(name, folders)
        return self._benchmarks[name]

    def points(self, method: str) -> list[dict[str, Any]]:
        """The grid of a method: every combination of its listed values, in the file's order. What
        is not trained has one point, without values."""
        return list(grid(entry(self.methods, method)[1]))

    def point(self, method: str, name: str) -> dict[str, Any]:
        """The hyperparameters of the grid point with this folder name."""
        return next(item for item in self.points(method) if point_name(item) == name)

    def seeds_of(self, method: str) -> list[int]:
        """Alignment seeds; what is not trained is one model, whatever the seed."""
        return self.seeds if self.is_trained(method) else self.seeds[:1]

    def runs(self, setting: SettingFolder, method: str) -> list[Run]:
        """Every run of a method in a setting."""
        names = [point_name(point) for point in self.points(method)]
        return [
            setting.run(method, point, seed) for point in names for seed in self.seeds_of(method)
        ]

    def test_evaluations(self, setting: SettingFolder, method: str) -> list[Evaluation]:
        """Where a method's test scores lie: of the selected point, or of the whole grid."""
        if self.tested == "grid":
            return [tested(setting, self.experiment, run) for run in self.runs(setting, method)]
        return [selected(setting, self.experiment, method, seed) for seed in self.seeds_of(method)]

    def options(self, benchmark: str) -> dict[str, Any]:
        """What the file sets for a benchmark."""
        return self.benchmarks[benchmark] or {}

    def benchmarks_on(self, split: str) -> list[str]:
        """The benchmarks that score a split; on validation, only the one that selects and those
        that are drawn against it."""
        names = [name for name in self.benchmarks if split in self.benchmark(name).card.splits]
        asked = {item.benchmark for item in (self.select, self.report.length, *self.report.against)}
        return [name for name in names if split == "test" or name in asked]


def read(path: Path) -> Experiment:
    """The experiment in a YAML or JSON file; ConfigError lists every mistake."""
    if not path.is_file():
        raise ConfigError(f"no experiment file {path}; see config/ for those that ship")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    return parse({} if raw is None else raw, str(path))


def archived(raw: Any, home: Path) -> Experiment:
    """The experiment of an archive whose methods and benchmarks lie in `home`, as layout.py has it.

    An archive may be anyone's. Its files are read and never run, not even a method's `optimum`,
    and a name in it is no path. Raises IntegrityError where it is not an experiment, or one of its
    files is missing.
    """
    try:
        found = Experiment.model_validate(raw)
        likes = {name: entry(found.methods, name)[0].like for name in found.methods}
    except (ValidationError, TypeError, AttributeError) as error:
        raise IntegrityError(f"the archive's experiment cannot be read: {error}") from error
    names = [*likes, *likes.values(), *found.benchmarks]
    if wrong := [name for name in names if not re.fullmatch(NAME, name)]:
        raise IntegrityError(f"the archive's experiment has {wrong[0]!r}, which is no name")
    try:
        for name in filter(found.is_trained, found.methods):
            path = home / plugins.METHODS.name / f"{likes[name]}.py"
            found._methods[name] = plugins.read_method(path)
        for name in found.benchmarks:
            path = home / plugins.BENCHMARKS.name / f"{name}.py"
            found._benchmarks[name] = plugins.read_benchmark(path)
    except FileNotFoundError as error:
        raise IntegrityError(f"the archive's experiment wants {error.filename}") from error
    return found


def parse(raw: dict[str, Any], source: str = "config") -> Experiment:
    """The experiment in a mapping; ConfigError lists every mistake with the nearest known name."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{source} must be a mapping of keys to values, got {raw!r}")
    raw = at_scale(raw, source)
    if found := mistakes.find(raw, Experiment):
        lines = "\n".join(f"  - {mistake}" for mistake in found)
        raise ConfigError(f"{source} has {len(found)} mistake(s):\n{lines}")
    return Experiment.model_validate(raw)


def at_scale(raw: dict[str, Any], source: str) -> dict[str, Any]:
    """The mapping with the keys of its `scale` in place, whose name its experiment's name gets.

    Raises ConfigError for a scale that `scales` has not.
    """
    own = {key: value for key, value in raw.items() if key not in ("scale", "scales")}
    scale, given = raw.get("scale", FULL), raw.get("scales")
    if scale == FULL:
        return own
    scales = given if isinstance(given, dict) else {}
    changes = next((value for name, value in scales.items() if name == scale), None)
    if not isinstance(changes, dict):
        known = ", ".join(map(str, [FULL, *scales]))
        raise ConfigError(
            f"{source}: scale: {scale!r} is not one of scales; known: {known}; "
            "choose one by --config scale=NAME"
        )
    return {**merged(own, changes), "experiment": f"{raw.get('experiment', '')}_{scale}"}


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`old` with the keys of `new`: mappings key by key, but for those of `WHOLE`."""
    return old | {
        key: merged(old[key], value)
        if key not in WHOLE and isinstance(value, dict) and isinstance(old.get(key), dict)
        else value
        for key, value in new.items()
    }
