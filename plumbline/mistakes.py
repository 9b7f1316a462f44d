"""What is wrong with an experiment file, all at once, in sentences with the nearest known name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from plumbline import plugins, schema
from plumbline.errors import ConfigError, MethodError, did_you_mean
from plumbline.layout import point_name
from plumbline.schema import Align


def find(raw: dict[str, Any], model: type[BaseModel]) -> list[str]:
    """Every mistake, once, in the file's order. model: the whole file's (`config.Experiment`)."""
    problems = [*_schema_problems(raw, model), *_method_problems(raw), *_benchmark_problems(raw)]
    return list(dict.fromkeys(problems))


def _schema_problems(raw: dict[str, Any], model: type[BaseModel]) -> Iterator[str]:
    try:
        model.model_validate(raw)
    except ValidationError as error:
        for item in error.errors():
            yield _sentence(item, _keys_of(model) | _known_keys())


#: The tags pydantic puts into an error's location; a user never typed them.
TAGS = {
    *("toyland", "toyland_facts", "toyland_traces", "hh_rlhf", "ultrafeedback", "jsonl"),
    *("ScratchModel", "PretrainedModel"),
}


def _sentence(item: dict[str, Any], known: set[str]) -> str:
    parts = [str(part) for part in item["loc"]]
    where = ".".join(
        part for index, part in enumerate(parts) if part not in TAGS or index in (0, 1)
    )
    if item["type"] == "missing":
        return f"{where}: required, not given"
    if item["type"] == "value_error":
        return ": ".join(filter(None, [where, str(item["ctx"]["error"])]))
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key{_hint(parts[-1], known - {parts[-1]})}"
    return f"{where}: {item['msg']}, got {item['input']!r}"


def _hint(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that lists no names."""
    return f"; {did_you_mean(name, known)}".rstrip("; ")


def _keys_of(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def _known_keys() -> set[str]:
    """The keys of every object of the schema."""
    kinds = [kind for kind in vars(schema).values() if isinstance(kind, type)]
    models = [kind for kind in kinds if issubclass(kind, schema.Strict)]
    return {key for model in models for key in _keys_of(model)}


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
    both = _mapping(raw, "methods").keys() & _mapping(raw, "models").keys()
    problems = [f"models.{name}: a method has this name; give another" for name in sorted(both)]
    for name, values in _mapping(raw, "methods").items():
        if name == plugins.SFT:
            problems += [f"methods.sft: takes no hyperparameters, got {values}"] if values else []
        else:
            problems += [f"methods.{name}{text}" for text in _entry_problems(name, raw)]
    return problems


def _entry_problems(name: str, raw: dict[str, Any]) -> list[str]:
    """Of one method, or of a variant of one."""
    methods = {
        key: value if isinstance(value, dict) else {}
        for key, value in _mapping(raw, "methods").items()
    }
    if problems := [*_variant_problems(name, methods, _folders(raw, "method_paths"))]:
        return problems
    variant, values = schema.entry(methods, name)
    if variant.like != name and _entry_problems(variant.like, raw):
        return []  # told of the method that it is like
    try:
        spec = plugins.method_spec(variant.like, _folders(raw, "method_paths"))
    except (ConfigError, MethodError) as error:
        return [f": {error}"]
    problems = [f".{text}" for text in _point_problems(spec, values, raw)]
    if variant.labels == "win_rate" and spec.feedback != "lists":
        problems.append(
            f".labels: win_rate ranks lists, and {spec.name} learns from {spec.feedback}"
        )
    if methods[name].get("prompts") and spec.feedback != "pairs":
        problems.append(f".prompts: a reward labels pairs; {spec.name} learns from {spec.feedback}")
    return [*problems, *_untrainable(methods[name].get("prompts"), raw)]


def _untrainable(prompts: Any, raw: dict[str, Any]) -> Iterator[str]:
    """Settings in which the reward of `prompts` has no recipe."""
    if prompts and prompts["reward"] == "model":
        for name, setting in _mapping(raw, "settings").items():
            if isinstance(setting, dict) and not setting.get("sft"):
                yield (
                    f".prompts.reward: model is trained by the recipe settings.{name}.sft, which "
                    "is missing; give it, or choose head or words"
                )


def _variant_problems(
    name: str, methods: dict[str, dict[str, Any]], folders: tuple[Path, ...]
) -> Iterator[str]:
    """What is wrong with `like`, `labels` and `flip`, where they are given."""
    own, allowed = methods[name], ["given", *schema.LABELS]
    if "labels" in own and own["labels"] not in allowed:
        hint = _hint(str(own["labels"]), allowed)
        yield f".labels: must be one of {', '.join(allowed)}, got {own['labels']!r}{hint}"
    if "flip" in own and not _is_rate(own["flip"]):
        yield (
            f".flip: must be a number from 0 to below 0.5, got {own['flip']!r}; where all labels "
            "shall be wrong say labels: flipped, where they shall mean nothing labels: random"
        )
    if own.get("prompts") is not None:
        yield from _prompts_problems(own)
    if "like" in own:
        yield from _like_problems(name, methods, folders)
    for key in (key for key in ("labels", "flip", "prompts") if key in own and "like" not in own):
        yield (
            f".{key}: a variant has a name of its own beside its method, "
            f"e.g. {name}_{key}: {{like: {name}, {key}: {own[key]}}}"
        )


def _prompts_problems(own: dict[str, Any]) -> Iterator[str]:
    try:
        schema.Prompts.model_validate(own["prompts"])
    except ValidationError as error:
        for item in error.errors():
            yield "." + _sentence(item | {"loc": ("prompts", *item["loc"])}, _known_keys())
    for key in ("labels", "flip"):
        if own.get(key, "given") not in ("given", 0):
            yield f".{key}: the reward of prompts labels them, got {own[key]!r} too; remove one"


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 0.5


def _like_problems(
    name: str, methods: dict[str, dict[str, Any]], folders: tuple[Path, ...]
) -> Iterator[str]:
    like = methods[name]["like"]
    others = [key for key, value in methods.items() if key != plugins.SFT and "like" not in value]
    if like not in others:
        hint = did_you_mean(str(like), others)
        yield f".like: {like!r} is not a method of this file; {hint}known: {', '.join(others)}"
    elif _is_itself(methods, name):
        yield f".like: this is {like} itself; give it labels, a flip, prompts or other values"
    if not re.fullmatch(schema.NAME, str(name)):
        yield ": a name has lower-case letters, digits and _, and begins with a letter"
    if name in _files(folders):
        yield ".like: a file of methods has this name; give the variant another"


def _is_itself(methods: dict[str, dict[str, Any]], name: str) -> bool:
    """Whether a variant differs in nothing from the method that it is like."""
    variant, values = schema.entry(methods, name)
    same = not variant.relabelling and variant.prompts is None
    return same and values == methods[variant.like]


def _files(folders: tuple[Path, ...]) -> set[str]:
    """The names of all method files."""
    return {
        path.stem for folder in (plugins.METHODS, *folders) for path in plugins.names_in(folder)
    }


def _point_problems(
    spec: plugins.MethodSpec, values: dict[str, Any], raw: dict[str, Any]
) -> Iterator[str]:
    known = {item.name: item for item in spec.hyperparameters}
    for key in (key for key in values if key not in known):
        hint = did_you_mean(key, known)
        yield f"{key}: unknown hyperparameter; {hint}known: {', '.join(known)}"
    for key in (key for key, value in values.items() if value == []):
        yield f"{key}: an empty list leaves no point to train"
    points = [{key: point[key] for key in point if key in known} for point in schema.grid(values)]
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
    execution = _mapping(raw, "execution")
    processes, micro = execution.get("processes", 1), execution.get("micro_batch", "auto")
    numbers = [item for item in (processes, micro) if isinstance(item, int) and item > 0]
    for name, recipe in _recipes(raw):
        batch = getattr(recipe.batch, spec.feedback)
        if batch % prod(numbers):
            yield (
                f"{spec.feedback}: execution.micro_batch: {micro} with execution.processes: "
                f"{processes} does not divide the global batch of {batch} in setting {name}"
            )
        if recipe.adapter and execution.get("launcher") == "fsdp2":
            yield (
                f"{spec.feedback}: execution.launcher: fsdp2 shares out weights that are trained, "
                f"and settings.{name}.align.adapter trains an adapter; say ddp"
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
            f"benchmarks.{name}.{key}: unknown option; {did_you_mean(key, known)}"
            f"known: {', '.join(sorted(known))}"
            for key in sorted(unknown)
        ]
    problems += _metric_problems(raw, folders)
    return problems + list(_probe_problems(raw, folders))


def _metric_problems(raw: dict[str, Any], folders: tuple[Path, ...]) -> Iterator[str]:
    """Selections and table columns must name a metric that its benchmark declares."""
    wanted = {"select": _mapping(raw, "select")}
    for key in ("columns", "against"):
        columns = _mapping(raw, "report").get(key)
        if isinstance(columns, list):
            wanted |= {f"report.{key}[{index}]": column for index, column in enumerate(columns)}
    wanted["report.length"] = _mapping(_mapping(raw, "report"), "length")
    if cases := _mapping(_mapping(raw, "report"), "cases"):
        wanted["report.cases"] = cases
        yield from _case_problems(cases, raw)
    for where, choice in wanted.items():
        if not isinstance(choice, dict):
            continue  # already reported by the schema
        name, metric = choice.get("benchmark"), choice.get("metric")
        if name not in list(_mapping(raw, "benchmarks")):  # a list: the name may be of any type
            yield f"{where}.benchmark: {name!r} is not one of benchmarks"
            continue
        try:
            spec = plugins.benchmark_spec(name, folders)
        except (ConfigError, MethodError):
            continue  # already reported under benchmarks
        card = spec.card
        if where == "report.cases" and spec.needs != "responses":
            yield f"report.cases.benchmark: {name} reads no answers; choose one that does"
        known = [item.name for item in card.metrics]
        directed = [item.name for item in card.metrics if item.better != "none"]
        if metric not in known:
            yield f"{where}.metric: {name} has no metric {metric!r}; known: {', '.join(known)}"
        elif where == "select" and metric not in directed:
            yield f"select.metric: no value of {metric} is better than another; choose a quality"
        on_validation = where == "select" or where.startswith("report.against")
        if on_validation and "validation" not in card.splits:
            yield f"{where}.benchmark: {name} cannot score validation"


def _case_problems(cases: dict[str, Any], raw: dict[str, Any]) -> Iterator[str]:
    """Cases are answers of methods that are in the tables."""
    known = [*_mapping(raw, "methods"), *_mapping(raw, "models")]
    methods = cases.get("methods")
    for name in methods if isinstance(methods, list) else []:
        if name not in known:
            hint = _hint(str(name), known)
            yield f"report.cases.methods: {name!r} is not one of methods{hint}"


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
