"""An experiment file as typed objects. Every mistake in it is reported at once, before any work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from plumbline import plugins
from plumbline.artifacts import digest, write_text
from plumbline.errors import ConfigError, MethodError
from plumbline.layout import ExperimentFolder, Run, SettingFolder, point_name
from plumbline.toyland.spec import WorldSpec

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


ToylandData = create_model(
    "ToylandData",
    __base__=Strict,
    __doc__="The embedded world: every field of WorldSpec; see docs/toyland.md.",
    source=(Literal["toyland"], ...),
    **{item.name: (item.type, item.default) for item in fields(WorldSpec)},
)


class FileData(Strict):
    """Real feedback, from files or the hub. `limit` bounds the rows of each split."""

    source: Literal["hh_rlhf", "ultrafeedback", "jsonl"]
    path: str
    seed: int = 0
    limit: dict[Literal["train", "validation", "test"], Count] = {}


class ScratchModel(Strict):
    """A GPT-NeoX made here. tokenizer: Toyland's words, or byte-level BPE trained on the data."""

    architecture: Literal["gpt_neox"]
    hidden_size: Count
    layers: Count
    heads: Count
    max_positions: Count
    tokenizer: Literal["toyland", "byte_bpe"]
    vocabulary: Count | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> ScratchModel:
        if self.tokenizer == "byte_bpe" and self.vocabulary is None:
            raise ValueError("vocabulary: byte_bpe needs the number of its tokens, e.g. 2048")
        if self.hidden_size % self.heads:
            raise ValueError(f"heads: {self.heads} do not divide hidden_size: {self.hidden_size}")
        return self


class PretrainedModel(Strict):
    """A Hugging Face model folder or hub name."""

    path: str
    revision: str = "main"
    trust_remote_code: bool = False
    chat_template: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"


class Pretrain(Strict):
    """Language modelling from scratch: AdamW, linear warm-up, cosine decay."""

    steps: Count
    batch: Count
    learning_rate: Rate
    warmup_steps: int = 50


class Sft(Strict):
    """Supervised fine-tuning. data: demonstrations, or the chosen completions (the HH recipe)."""

    data: Literal["demonstrations", "chosen"]
    steps: Count
    batch: Count
    learning_rate: Rate
    warmup_steps: int = 10


class Batch(Strict):
    """Examples in one optimizer step, by feedback; for lists, prompts."""

    pairs: Count = 32
    singles: Count = 64
    lists: Count = 32


class Align(Strict):
    """Alignment: RMSprop with torch's defaults, linear warm-up, then constant.

    responses: completions of a list (N). log_every and probe_every: steps between rows of the
    dynamics; probe_rows: held-out rows whose log-probabilities are probed; probe_benchmark: whose
    first probe_prompts validation prompts are answered at each probe. micro_batch: examples a
    forward pass; None is the whole batch.
    """

    learning_rate: Rate
    warmup_steps: int = 150
    epochs: Count = 1
    batch: Batch = Batch()
    responses: Count = 4
    max_grad_norm: Rate = 10.0
    max_prompt_tokens: Count = 1024
    max_tokens: Count = 2048
    micro_batch: Count | None = None
    log_every: Count = 10
    probe_every: Count = 50
    probe_rows: Count = 256
    probe_benchmark: str | None = None
    probe_prompts: Count = 64


def _kind_of_model(value: Any) -> str:
    """A model with any key of its own architecture is made from scratch."""
    own = ScratchModel.model_fields.keys() - PretrainedModel.model_fields.keys()
    keys = value.keys() if isinstance(value, dict) else getattr(value, "model_fields_set", set())
    return "ScratchModel" if own & keys else "PretrainedModel"


class Setting(Strict):
    """Model + data + SFT + alignment recipe."""

    data: Annotated[ToylandData | FileData, Field(discriminator="source")]
    model: Annotated[
        Annotated[ScratchModel, Tag("ScratchModel")]
        | Annotated[PretrainedModel, Tag("PretrainedModel")],
        Discriminator(_kind_of_model),
    ]
    pretrain: Pretrain | None = None
    sft: Sft | None = None
    align: Align

    @model_validator(mode="after")
    def _fits(self) -> Setting:
        if self.pretrain and isinstance(self.model, PretrainedModel):
            raise ValueError("pretrain: only for a model made from scratch; remove the key")
        return self

    def folder(self, name: str) -> SettingFolder:
        """`{name}-{8 hex of the canonical JSON}`."""
        return SettingFolder(f"{name}-{digest(self.model_dump())[:8]}")


class Select(Strict):
    """The validation metric that picks each method's point."""

    benchmark: str
    metric: str
    title: str


class JudgeChoice(Strict):
    """Who judges. `toyland-gold` reads Toyland exactly; `surface-judge` is plumbing."""

    name: Literal["toyland-gold", "surface-judge"]


class Column(Strict):
    """One column of Table 1."""

    benchmark: str
    metric: str
    title: str
    digits: Annotated[int, Field(ge=0)] = 2


class Rank(Strict):
    """How the average rank is taken: which rows, how ties share, where the others go."""

    rows: Literal["all", "aligned"] | list[str] = "aligned"
    ties: Literal["min", "average"] = "min"
    unranked: Literal["last", "omit"] = "last"


class Difference(Strict):
    """One line of the table "paper / here / why different"."""

    what: str
    paper: str
    here: str
    why: str


class Report(Strict):
    """What the tables and the page show.

    columns: Table 1's, from test rows. length: the validation metric drawn against the selecting
    one. dynamics_point: a point at which training curves are shown besides the selected ones.
    stamp: a warning over the whole page. not_run: what a reader might look for, and why it is not
    here.
    """

    title: str
    lead: str = ""
    columns: list[Column] = Field(min_length=1)
    length: Column
    rank: Rank = Rank()
    dynamics_point: str = ""
    stamp: str = ""
    not_run: dict[str, str] = {}


class Execution(Strict):
    """How to run; never part of a digest. Only thread counts can change a number's last bits.

    runs_per_job: runs that one align job trains, one after the other; models_per_job: models that
    one generate or score job takes. gpus_per_run: GPUs an align or generate job asks for.
    base_threads are for pretrain, sft and reference. On a busy machine two threads wait for each
    other at every operation: 2 were measured 30 times slower than 1 beside other jobs.
    """

    runs_per_job: Count = 6
    models_per_job: Count = 6
    gpus_per_run: Annotated[int, Field(ge=0)] = 0
    threads_per_run: Count = 1
    base_threads: Count = 1


class Experiment(Strict):
    """The whole file. See config/README.md for each key in words."""

    experiment: Name
    settings: dict[Name, Setting]
    methods: dict[str, dict[str, Any]]
    grid_points: Count
    seeds: list[int] = Field(min_length=1)
    benchmarks: dict[str, dict[str, Any] | None]
    select: Select
    judge: JudgeChoice
    report: Report
    differences: list[Difference] = []
    allow_unbounded: bool = False
    method_paths: list[str] = []
    benchmark_paths: list[str] = []
    execution: Execution = Execution()
    _methods: dict[str, plugins.MethodSpec] = PrivateAttr(default_factory=dict)
    _benchmarks: dict[str, plugins.BenchmarkSpec] = PrivateAttr(default_factory=dict)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"each seed once, got {seeds}")
        return seeds

    @property
    def folder(self) -> ExperimentFolder:
        return ExperimentFolder(self.experiment)

    def write(self) -> Path:
        """Keep the experiment under its digest, as the jobs of a workflow read it.

        The order of methods and settings is kept: it is the order of the tables.
        """
        content = json.dumps(self.model_dump(), indent=2, ensure_ascii=False)
        path = self.folder.resolved(digest(content)[:8])
        if not path.is_file():
            write_text(path, content)
        return path

    def setting_folders(self) -> dict[str, SettingFolder]:
        """The folder of each setting, by its name in the file."""
        return {name: setting.folder(name) for name, setting in self.settings.items()}

    def setting_at(self, folder: str) -> Setting:
        """The setting whose folder has this name."""
        names = {item.name: name for name, item in self.setting_folders().items()}
        return self.settings[names[folder]]

    def method(self, name: str) -> plugins.MethodSpec:
        """The method's specification, from `losses/` or `method_paths`; read once."""
        if name not in self._methods:
            folders = tuple(Path(path) for path in self.method_paths)
            self._methods[name] = plugins.method_spec(name, folders)
        return self._methods[name]

    def benchmark(self, name: str) -> plugins.BenchmarkSpec:
        """The benchmark's specification, from `benchmarks/` or `benchmark_paths`; read once."""
        if name not in self._benchmarks:
            folders = tuple(Path(path) for path in self.benchmark_paths)
            self._benchmarks[name] = plugins.benchmark_spec(name, folders)
        return self._benchmarks[name]

    def points(self, method: str) -> list[dict[str, Any]]:
        """The grid of a method: every combination of its listed values, in the file's order."""
        return list(grid(self.methods[method]))

    def point(self, method: str, name: str) -> dict[str, Any]:
        """The hyperparameters of the grid point with this folder name."""
        return next(item for item in self.points(method) if point_name(item) == name)

    def seeds_of(self, method: str) -> list[int]:
        """Alignment seeds; SFT is one model, whatever the seed."""
        return self.seeds[:1] if method == plugins.SFT else self.seeds

    def runs(self, setting: SettingFolder, method: str) -> list[Run]:
        """Every run of a method in a setting."""
        names = [point_name(point) for point in self.points(method)]
        return [
            setting.run(method, point, seed) for point in names for seed in self.seeds_of(method)
        ]

    def options(self, benchmark: str) -> dict[str, Any]:
        """What the file sets for a benchmark."""
        return self.benchmarks[benchmark] or {}

    def benchmarks_on(self, split: str) -> list[str]:
        """The benchmarks that score a split; on validation, only the one that selects."""
        names = [name for name in self.benchmarks if split in self.benchmark(name).card.splits]
        return [name for name in names if split == "test" or name == self.select.benchmark]


def grid(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of a method's values; a single value is a list of one."""
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    for combination in product(*lists):
        yield dict(zip(values, map(_number, combination), strict=True))


def _number(value: Any) -> Any:
    """1e-1 is a number in YAML 1.2, but text in the YAML 1.1 that Python reads."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def read(path: Path) -> Experiment:
    """The experiment in a YAML or JSON file; ConfigError lists every mistake."""
    if not path.is_file():
        raise ConfigError(f"no experiment file {path}; see config/ for those that ship")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    return parse({} if raw is None else raw, str(path))


def parse(raw: dict[str, Any], source: str = "config") -> Experiment:
    """The experiment in a mapping; ConfigError lists every mistake with the nearest known name."""
    if not isinstance(raw, dict):
        raise ConfigError(f"{source} must be a mapping of keys to values, got {raw!r}")
    problems = list(_schema_problems(raw))
    problems += _method_problems(raw) + _benchmark_problems(raw)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
        raise ConfigError(f"{source} has {len(set(problems))} mistake(s):\n{lines}")
    return Experiment.model_validate(raw)


def _schema_problems(raw: dict[str, Any]) -> Iterator[str]:
    try:
        Experiment.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            yield _sentence(item)


#: The tags pydantic puts into an error's location; a user never typed them.
TAGS = {"toyland", "hh_rlhf", "ultrafeedback", "jsonl", "ScratchModel", "PretrainedModel"}


def _sentence(item: dict[str, Any]) -> str:
    parts = [str(part) for part in item["loc"]]
    where = ".".join(
        part for index, part in enumerate(parts) if part not in TAGS or index in (0, 1)
    )
    if item["type"] == "missing":
        return f"{where}: required, not given"
    if item["type"] == "value_error":
        return f"{where}: {item['ctx']['error']}"
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key{_hint(parts[-1], _known_keys() - {parts[-1]})}"
    return f"{where}: {item['msg']}, got {item['input']!r}"


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_keys() -> set[str]:
    models = [Experiment, Setting, ToylandData, FileData, ScratchModel, PretrainedModel, Pretrain]
    models += [Sft, Align, Batch, Select, JudgeChoice, Column, Rank, Report, Execution, Difference]
    return {key for model in models for key in model.model_fields}


def _mapping(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _folders(raw: dict[str, Any], key: str) -> tuple[Path, ...]:
    value = raw.get(key)
    texts = value if isinstance(value, list) else []
    return tuple(Path(item) for item in texts if isinstance(item, str))


def _recipes(raw: dict[str, Any]) -> Iterator[tuple[str, Align]]:
    """The name and the alignment recipe of each setting whose recipe is well formed."""
    for name, setting in _mapping(raw, "settings").items():
        try:
            yield name, Align.model_validate(setting["align"])
        except (ValidationError, KeyError, TypeError):
            continue  # already reported by the schema


def _method_problems(raw: dict[str, Any]) -> list[str]:
    problems = []
    for name, values in _mapping(raw, "methods").items():
        if name == plugins.SFT:
            problems += [f"methods.sft: takes no hyperparameters, got {values}"] if values else []
            continue
        try:
            spec = plugins.method_spec(name, _folders(raw, "method_paths"))
        except (ConfigError, MethodError) as error:
            problems.append(f"methods.{name}: {error}")
            continue
        values = values if isinstance(values, dict) else {}
        problems += [f"methods.{name}.{text}" for text in _point_problems(spec, values, raw)]
    return problems


def _point_problems(
    spec: plugins.MethodSpec, values: dict[str, Any], raw: dict[str, Any]
) -> Iterator[str]:
    known = {item.name: item for item in spec.hyperparameters}
    for key in (key for key in values if key not in known):
        yield f"{key}: unknown hyperparameter{_hint(key, known)}; known: {', '.join(known)}"
    for key in (key for key, value in values.items() if value == []):
        yield f"{key}: an empty list leaves no point to train"
    points = [{key: point[key] for key in point if key in known} for point in grid(values)]
    names = Counter(map(point_name, points))
    yield from (f"grid: {name} is listed twice" for name, count in names.items() if count > 1)
    wrong = [
        problem for point in points for key in point if (problem := known[key].problem(point[key]))
    ]
    yield from wrong
    budget = raw.get("grid_points")
    if isinstance(budget, int) and len(points) > budget:
        yield f"grid: {len(points)} points, over the budget grid_points: {budget}"
    if not wrong and not raw.get("allow_unbounded"):
        yield from _unbounded(spec, points, raw)
    yield from _ragged(spec, raw)


def _unbounded(
    spec: plugins.MethodSpec, points: list[dict[str, Any]], raw: dict[str, Any]
) -> Iterator[str]:
    for name, recipe in _recipes(raw):
        for point in points:
            if spec.unbounded(point, recipe.responses):
                yield (
                    f"{point_name(point)}: no optimum exists in setting {name} "
                    f"({spec.card.theorem} wants {spec.card.optimum} with n = {recipe.responses} "
                    "responses); say allow_unbounded: true to run it all the same"
                )


def _ragged(spec: plugins.MethodSpec, raw: dict[str, Any]) -> Iterator[str]:
    for name, recipe in _recipes(raw):
        batch = getattr(recipe.batch, spec.feedback)
        if batch % (recipe.micro_batch or batch):
            yield (
                f"{spec.feedback}: settings.{name}.align.micro_batch: {recipe.micro_batch} does "
                f"not divide the global batch of {batch}"
            )


def _benchmark_problems(raw: dict[str, Any]) -> list[str]:
    problems, folders = [], _folders(raw, "benchmark_paths")
    for name, options in _mapping(raw, "benchmarks").items():
        try:
            known = plugins.benchmark_spec(name, folders).option_names()
        except (ConfigError, MethodError) as error:
            problems.append(f"benchmarks.{name}: {error}")
            continue
        unknown = (options if isinstance(options, dict) else {}).keys() - known
        problems += [
            f"benchmarks.{name}.{key}: unknown option{_hint(key, known)}; "
            f"known: {', '.join(sorted(known))}"
            for key in sorted(unknown)
        ]
    problems += _metric_problems(raw, folders)
    return problems + list(_probe_problems(raw, folders))


def _metric_problems(raw: dict[str, Any], folders: tuple[Path, ...]) -> Iterator[str]:
    """Selections and table columns must name a metric that its benchmark declares."""
    columns = _mapping(raw, "report").get("columns")
    wanted = {"select": _mapping(raw, "select")}
    if isinstance(columns, list):
        wanted |= {f"report.columns[{index}]": column for index, column in enumerate(columns)}
    wanted["report.length"] = _mapping(_mapping(raw, "report"), "length")
    for where, choice in wanted.items():
        if not isinstance(choice, dict):
            continue  # already reported by the schema
        name, metric = choice.get("benchmark"), choice.get("metric")
        if name not in list(_mapping(raw, "benchmarks")):  # a list: the name may be of any type
            yield f"{where}.benchmark: {name!r} is not one of benchmarks"
            continue
        try:
            card = plugins.benchmark_spec(name, folders).card
        except (ConfigError, MethodError):
            continue  # already reported under benchmarks
        known = [item.name for item in card.metrics]
        directed = [item.name for item in card.metrics if item.better != "none"]
        if metric not in known:
            yield f"{where}.metric: {name} has no metric {metric!r}; known: {', '.join(known)}"
        elif where == "select" and metric not in directed:
            yield f"select.metric: no value of {metric} is better than another; choose a quality"
        if where == "select" and "validation" not in card.splits:
            yield f"select.benchmark: {name} cannot score validation"


def _probe_problems(raw: dict[str, Any], folders: tuple[Path, ...]) -> Iterator[str]:
    """A probe's benchmark must be in the experiment and read answers to validation prompts."""
    for setting, recipe in _recipes(raw):
        name, where = recipe.probe_benchmark, f"settings.{setting}.align.probe_benchmark"
        if name is None:
            continue
        if name not in _mapping(raw, "benchmarks"):
            yield f"{where}: {name!r} is not one of benchmarks"
            continue
        try:
            spec = plugins.benchmark_spec(name, folders)
        except (ConfigError, MethodError):
            continue  # already reported under benchmarks
        if "validation" not in spec.card.splits or spec.needs != "responses":
            yield f"{where}: {name} does not score responses to validation prompts"
