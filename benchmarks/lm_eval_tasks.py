"""Tasks of the Language Model Evaluation Harness (lm-eval 0.4.13), all in one process per model.

A task is a YAML file in a folder of `lm_eval_tasks/`. Those in `toyland/` are complete and their
data are generated. The folders `stock/` and `openllm_v1/` are two settings of the same six tasks of
the literature: a file names lm-eval's own tasks (`metadata.stock`), which keep their prompts and
scoring, and says what the setting decides: shots, which lm-eval metric becomes which of ours
(`metadata.reports`, in percent) and whether prompts go through the model's chat template. What they
are, and why: docs/lm_eval.md.

A task whose data cannot be had is a gap with a reason; the others run. Nothing is downloaded for a
task whose data files are given in the option `data`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline import Metric, Model, benchmark
from plumbline.errors import ConfigError, DataError

Row = dict[str, Any]

TASKS = Path(__file__).parent / "lm_eval_tasks"
TOYLAND = "toyland_"
TOYLAND_TASKS = ("toyland_arc", "toyland_truthfulqa", "toyland_gpqa", "toyland_ifeval")


@dataclass(frozen=True)
class Task:
    """A task as it is asked for: our file, and what the options leave or make of it."""

    name: str
    path: Path
    lm_eval_name: str
    about: Row
    shots: int
    templated: bool


@benchmark(
    title="lm-eval",
    version="2",
    metrics=(
        Metric("toyland_arc", "higher", "%", 0.0, 100.0),
        Metric("toyland_truthfulqa", "higher", "%", 0.0, 100.0),
        Metric("toyland_gpqa", "higher", "%", 0.0, 100.0),
        Metric("toyland_ifeval", "higher", "%", 0.0, 100.0),
        Metric("stock_arc_challenge_acc", "higher", "%", 0.0, 100.0),
        Metric("stock_hellaswag_acc", "higher", "%", 0.0, 100.0),
        Metric("stock_truthfulqa_mc1", "higher", "%", 0.0, 100.0),
        Metric("stock_ifeval_prompt_strict", "higher", "%", 0.0, 100.0),
        Metric("stock_gpqa_acc", "higher", "%", 0.0, 100.0),
        Metric("stock_math_exact_match", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_arc_challenge_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_hellaswag_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_truthfulqa_mc2", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_ifeval_prompt_strict", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_gpqa_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("openllm_v1_math_exact_match", "higher", "%", 0.0, 100.0),
    ),
)
def score(
    model: Model,
    *,
    setting: str = "stock",
    tasks: list[str] = TOYLAND_TASKS,
    data: dict[str, dict[str, str]] | None = None,
    num_fewshot: dict[str, int] | None = None,
    chat_template: dict[str, bool] | None = None,
    limit: int | None = None,
    dtype: str = "auto",
    batch_size: int = 64,
    max_gen_toks: int | None = None,
    nltk_data: str | None = None,
) -> list[Row]:
    """One item per document and reported metric, in percent; one for a task without data.

    setting: `stock` or `openllm_v1`. tasks: names of files in the setting's folder or in
    `toyland/`. data: for each task, a JSON-lines file for each split it reads; a task of lm-eval's
    own without an entry takes its data from the Hugging Face hub. num_fewshot, chat_template: for
    some tasks, other shots, and whether prompts go through the chat template, than the task's file
    says. limit: documents per task (of MATH per subject), for trials. max_gen_toks: overrides how
    much the generating tasks may write. nltk_data: a folder with NLTK's punkt_tab, which `ifeval`
    needs.
    """
    asked = _asked(setting, tasks, num_fewshot, chat_template)
    _check_files(data or {})
    if "ifeval" in tasks:
        _prepare_ifeval(nltk_data)
    scratch = Path(model.scratch)
    files = toyland_files(tasks, scratch / "data") | (data or {})
    with _offline_if(files.keys() >= set(tasks)):
        loaded, gaps = _loaded(asked, files, scratch)
        language_model = _language_model(model.folder, dtype, batch_size) if loaded else None
        samples = _samples(
            language_model,
            _by_template(asked, loaded),
            limit=limit,
            gen_kwargs={"max_gen_toks": max_gen_toks} if max_gen_toks else None,
        )
    proofs = {
        name: _proof(language_model, samples[parts[0].task_name]) for name, parts in loaded.items()
    }
    (scratch / "canary.json").write_text(json.dumps(proofs, indent=2))
    return [
        item
        for task in asked
        for item in (
            _gap(task, gaps[task.name])
            if task.name in gaps
            else _items(task, loaded[task.name], samples)
        )
    ]


def decoding(
    *,
    setting: str = "stock",
    tasks: list[str] = TOYLAND_TASKS,
    num_fewshot: dict[str, int] | None = None,
    chat_template: dict[str, bool] | None = None,
    max_gen_toks: int | None = None,
) -> dict[str, str]:
    """Metric -> task and its version, shots, lm-eval's metric, normalisation or the most tokens
    written, chat template or none."""
    return {
        ours: ", ".join(
            [
                f"{task.lm_eval_name} {task.about['version']}",
                f"{task.shots}-shot",
                f"{theirs} {_reading(task, max_gen_toks)}",
                "chat template" if task.templated else "no chat template",
            ]
        )
        for task in _asked(setting, tasks, num_fewshot, chat_template)
        for theirs, ours in task.about["reports"].items()
    }


def _reading(task: Task, max_gen_toks: int | None) -> str:
    """How a choice is scored, or an answer written."""
    if "max_gen_toks" in task.about:
        return f"(greedy, at most {max_gen_toks or task.about['max_gen_toks']} new tokens)"
    return f"({task.about['normalisation']})"


def summarise(items: list[Row]) -> list[Row]:
    """Means; a metric whose task has no data is not_run, with the reason."""
    from plumbline.score import means

    absent = {item["metric"]: item["reason"] for item in items if item["status"] == "not_run"}
    gap = {"status": "not_run", "n_expected": None}
    return [
        row | gap | {"reason": absent[row["metric"]]} if row["metric"] in absent else row
        for row in means(items)
    ]


def _asked(
    setting: str,
    tasks: list[str],
    num_fewshot: dict[str, int] | None,
    chat_template: dict[str, bool] | None,
) -> list[Task]:
    shots, templated = num_fewshot or {}, chat_template or {}
    for option, names in (("num_fewshot", shots), ("chat_template", templated)):
        if unknown := sorted(names.keys() - set(tasks)):
            raise ConfigError(
                f"benchmarks.lm_eval_tasks.{option}: {unknown[0]!r} is not among the tasks; "
                f"must be one of {', '.join(tasks)}"
            )
    return [
        Task(
            name,
            path,
            config["task"],
            config["metadata"],
            shots.get(name, config["num_fewshot"]),
            templated.get(name, config["metadata"]["chat_template"]),
        )
        for name in tasks
        for path in [_path(setting, name)]
        for config in [_read(path)]
    ]


def _path(setting: str, name: str) -> Path:
    """The file of a task; ConfigError names the settings, or the tasks, that there are."""
    settings = sorted(folder.name for folder in TASKS.iterdir() if folder.name != "toyland")
    if setting not in settings:
        raise ConfigError(
            f"benchmarks.lm_eval_tasks.setting: got {setting!r}; must be {' or '.join(settings)}"
        )
    known = {path.stem: path for folder in ("toyland", setting) for path in _files(folder)}
    if name not in known:
        raise ConfigError(
            f"benchmarks.lm_eval_tasks.tasks: no task {name!r}; known: {', '.join(known)}"
        )
    return known[name]


def _files(folder: str) -> list[Path]:
    return sorted((TASKS / folder).glob("*.yaml"))


def _read(path: Path) -> Row:
    """What a task file says, without importing the functions it names."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    return yaml.load(path.read_text(), Loader)


def _check_files(data: dict[str, dict[str, str]]) -> None:
    for task, files in data.items():
        for split, path in files.items():
            if not Path(path).is_file():
                raise DataError(
                    f"benchmarks.lm_eval_tasks.data.{task}.{split}: no file {path}; give one, or "
                    "remove the task's entry to load its data from the Hugging Face hub"
                )


def toyland_files(tasks: Iterable[str], folder: Path) -> dict[str, dict[str, str]]:
    """Write the data of those of `tasks` that are Toyland's; the option `data` for them."""
    from plumbline.toyland import evaluation

    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in tasks:
        if name.startswith(TOYLAND):
            probe = name.removeprefix(TOYLAND)
            rows = evaluation.ifeval() if probe == "ifeval" else evaluation.multiple_choice(probe)
            path = folder / f"{name}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            files[name] = {"test": str(path)}
    return files


def _loaded(
    asked: list[Task], files: dict[str, dict[str, str]], scratch: Path
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """lm-eval's task objects by task, and for each task that the hub does not give, why."""
    from datasets.exceptions import DatasetsError

    loaded, gaps = {}, {}
    for task in asked:
        try:
            loaded[task.name] = _parts(task, files.get(task.name), scratch)
        except (OSError, ValueError, KeyError, DatasetsError) as error:
            if task.name in files:
                raise DataError(_unreadable(task, files[task.name], error)) from error
            gaps[task.name] = _without_data(task, error)
    return loaded, gaps


def _unreadable(task: Task, files: dict[str, str], error: Exception) -> str:
    return (
        f"benchmarks.lm_eval_tasks.data.{task.name}: got {files}; must be JSON lines in the layout "
        f"of {task.about['dataset']}, a file for each split that is read "
        f"({type(error).__name__}: {error})"
    )


def _without_data(task: Task, error: Exception) -> str:
    terms = "it is gated: accept its terms on its page there and set HF_TOKEN, or "
    return (
        f"{task.about['dataset']} did not come from the Hugging Face hub "
        f"({' '.join(str(error).split())}); {terms if task.about.get('gated') else ''}"
        f"give its files in benchmarks.lm_eval_tasks.data.{task.name}"
    )


def _parts(task: Task, files: dict[str, str] | None, scratch: Path) -> list[Any]:
    """The task as lm-eval loads it: one object, or one for each subject."""
    import random

    from lm_eval.defaults import DEFAULT_RANDOM_SEED
    from lm_eval.tasks import TaskManager

    paths = _configured(task, files, scratch)
    random.seed(DEFAULT_RANDOM_SEED)  # GPQA's choices are shuffled while it is loaded
    return list(TaskManager(include_defaults=False).load(paths)["tasks"].values())


def _configured(task: Task, files: dict[str, str] | None, scratch: Path) -> list[str]:
    """Task files for this run: ours over lm-eval's, with data files and shots filled in.

    Subjects that are sets of their own on the hub are one file where the user gives it.
    """
    import lm_eval.tasks

    folder = Path(lm_eval.tasks.__file__).parent
    stock = [folder / name for name in task.about.get("stock", ())]
    config: Row = {"num_fewshot": task.shots}
    if task.shots == 0:
        config["fewshot_config"] = {"samples": []}  # else a split to draw them from must be there
    if files:
        kwargs = {"data_files": files, "cache_dir": str(scratch / "datasets")}
        config |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": kwargs}
    if files or len(stock) < 2:
        parts = {task.lm_eval_name: stock[:1]}
    else:
        parts = {path.stem: [path] for path in stock}
    return [
        _write(scratch, name, config | {"include": [*map(str, included), str(task.path)]})
        for name, included in parts.items()
    ]


def _write(scratch: Path, name: str, config: Row) -> str:
    path = scratch / "lm_eval_tasks" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config | {"task": name}, indent=2))  # JSON is YAML
    return str(path)


def _by_template(asked: list[Task], loaded: dict[str, list[Any]]) -> dict[bool, list[Any]]:
    """Loaded tasks by whether they use the chat template, which lm-eval sets for a whole call."""
    groups: dict[bool, list[Any]] = {}
    for task in asked:
        if task.name in loaded:
            groups.setdefault(task.templated, []).extend(loaded[task.name])
    return groups


def _language_model(folder: str, dtype: str, batch_size: int) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return HFLM(pretrained=folder, device=device, dtype=dtype, batch_size=batch_size)


def _samples(model: Any, groups: dict[bool, list[Any]], **options: Any) -> dict[str, list[Row]]:
    """lm-eval's logged samples by lm-eval's name of the task."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    samples = {}
    for templated, tasks in groups.items():
        results = simple_evaluate(
            model,
            tasks=tasks,
            task_manager=TaskManager(include_defaults=False),
            apply_chat_template=templated,
            bootstrap_iters=0,
            log_samples=True,
            **options,
        )
        samples |= results["samples"]
    return samples


def _proof(language_model: Any, samples: list[Row]) -> Row:
    """Text and token ids of a task's first prompt, as lm-eval rendered it for this model."""
    from plumbline.model.canary import check_start

    text = samples[0]["arguments"][0][0]
    ids = language_model.tok_encode(text)
    check_start(language_model.tokenizer, ids)
    return {"text": text, "ids": ids}


def _items(task: Task, parts: list[Any], samples: dict[str, list[Row]]) -> Iterator[Row]:
    for part in parts:
        for sample in samples[part.task_name]:
            for theirs, ours in task.about["reports"].items():
                name, value = f"{part.task_name}-{sample['doc_id']}", float(sample[theirs])
                text = {"text": _text(sample["doc"])}
                if math.isnan(value):
                    yield text | _item(name, ours, None, "missing", f"{theirs} is not a number")
                else:
                    yield text | _item(name, ours, 100.0 * value)


def _text(document: Row) -> str | None:
    """What a document asks, without the frame and the shots that lm-eval puts around it."""
    from plumbline.data.questions import question

    return " ".join(question(document) or []) or None


def _gap(task: Task, reason: str) -> Iterator[Row]:
    for metric in task.about["reports"].values():
        yield _item(task.lm_eval_name, metric, None, "not_run", reason)


def _item(
    name: str, metric: str, value: float | None, status: str = "ok", reason: str | None = None
) -> Row:
    return {"item": name, "metric": metric, "value": value, "status": status, "reason": reason}


def _prepare_ifeval(nltk_data: str | None) -> None:
    """Make NLTK's sentence tables findable, and language detection, which IFEval's checks use,
    deterministic. Without the tables lm-eval fails somewhere in the middle."""
    import langdetect
    import nltk

    if nltk_data:
        nltk.data.path.insert(0, nltk_data)
    try:
        nltk.data.find("tokenizers/punkt_tab/english/")
    except LookupError as error:
        raise ConfigError(
            f"benchmarks.lm_eval_tasks.nltk_data: got {nltk_data!r}; `ifeval` needs a folder with "
            "tokenizers/punkt_tab/english"
        ) from error
    langdetect.DetectorFactory.seed = 0


@contextmanager
def _offline_if(all_local: bool) -> Iterator[None]:
    """Keep Hugging Face libraries that are not imported yet from asking the hub, where every task
    has local data; the environment is as before afterwards."""
    names = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE") if all_local else ()
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
