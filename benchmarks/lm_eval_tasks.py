"""Tasks of the Language Model Evaluation Harness (lm-eval 0.4.13), all in one process per model.

A task is a YAML file in `tasks/`. Toyland's are complete and their data are generated; for the
others the file names lm-eval's own task (`metadata.stock`), which keeps its prompt, shots and
scoring. `metadata.reports` says which lm-eval metric becomes which of ours, in percent, and
`metadata.chat_template` whether the prompt goes through the model's chat template: Toyland's tasks
do, since its models know no other format, and so do the tasks that generate text; the likelihood
tasks of the literature (ARC, HellaSwag, TruthfulQA, GPQA) do not.

Nothing is downloaded for a task whose data files are given in the option `data`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plumbline import Metric, Model, benchmark
from plumbline.errors import ConfigError, DataError

Row = dict[str, Any]

TASKS = Path(__file__).parent / "lm_eval_tasks"
TOYLAND = "toyland_"
TOYLAND_TASKS = ("toyland_arc", "toyland_truthfulqa", "toyland_gpqa", "toyland_ifeval")


@benchmark(
    title="lm-eval",
    version="1",
    metrics=(
        Metric("toyland_arc", "higher", "%", 0.0, 100.0),
        Metric("toyland_truthfulqa", "higher", "%", 0.0, 100.0),
        Metric("toyland_gpqa", "higher", "%", 0.0, 100.0),
        Metric("toyland_ifeval", "higher", "%", 0.0, 100.0),
        Metric("arc_challenge_acc", "higher", "%", 0.0, 100.0),
        Metric("arc_challenge_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("hellaswag_acc", "higher", "%", 0.0, 100.0),
        Metric("hellaswag_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("truthfulqa_mc1", "higher", "%", 0.0, 100.0),
        Metric("truthfulqa_mc2", "higher", "%", 0.0, 100.0),
        Metric("gpqa_acc", "higher", "%", 0.0, 100.0),
        Metric("gpqa_acc_norm", "higher", "%", 0.0, 100.0),
        Metric("ifeval_prompt_strict", "higher", "%", 0.0, 100.0),
        Metric("math_exact_match", "higher", "%", 0.0, 100.0),
    ),
)
def score(
    model: Model,
    *,
    tasks: list[str] = TOYLAND_TASKS,
    data: dict[str, dict[str, str]] | None = None,
    num_fewshot: dict[str, int] | None = None,
    limit: int | None = None,
    dtype: str = "auto",
    batch_size: int = 64,
    max_gen_toks: int | None = None,
    nltk_data: str | None = None,
) -> list[Row]:
    """One item per document and reported metric, in percent.

    tasks: names of files in `tasks/`. data: for each task, a JSON-lines file for each split it
    uses; a task of lm-eval's own without an entry takes its data from the Hugging Face hub.
    num_fewshot: overrides a task's own number of shots. limit: documents per task, for trials.
    max_gen_toks: overrides how much the generating tasks may write. nltk_data: a folder with
    NLTK's punkt_tab, which `ifeval` needs.
    """
    about = {name: _metadata(name) for name in tasks}
    _check_files(data or {})
    if "ifeval" in tasks:
        _prepare_ifeval(nltk_data)
    scratch = Path(model.scratch)
    files = toyland_files(tasks, scratch / "data") | (data or {})
    shots = num_fewshot or {}
    with _offline_if(files.keys() >= set(tasks)):
        paths = {
            name: _configured(name, about[name], files.get(name), shots.get(name), scratch)
            for name in tasks
        }
        language_model = _language_model(model.folder, dtype, batch_size)
        samples = _samples(
            language_model,
            _by_template(about, paths),
            limit=limit,
            gen_kwargs={"max_gen_toks": max_gen_toks} if max_gen_toks else None,
        )
    proofs = {name: _proof(language_model, samples[name]) for name in tasks}
    (scratch / "canary.json").write_text(json.dumps(proofs, indent=2))
    return [item for name in tasks for item in _items(name, about[name], samples[name])]


def _metadata(name: str) -> Row:
    """What a task file says of itself, without importing the functions it names."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    path = TASKS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in TASKS.glob("*.yaml")))
        raise ConfigError(f"benchmarks.lm_eval_tasks.tasks: no task {name!r}; known: {known}")
    return yaml.load(path.read_text(), Loader)["metadata"]


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


def _configured(
    name: str, about: Row, files: dict[str, str] | None, shots: int | None, scratch: Path
) -> Path:
    """A task file for this run: ours over lm-eval's, with data files and shots filled in."""
    import lm_eval.tasks

    stock = Path(lm_eval.tasks.__file__).parent
    included = [stock / about["stock"]] if "stock" in about else []
    config: Row = {"include": [str(path) for path in [*included, TASKS / f"{name}.yaml"]]}
    if files:
        kwargs = {"data_files": files, "cache_dir": str(scratch / "datasets")}
        config |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": kwargs}
    if shots is not None:
        config["num_fewshot"] = shots
    path = scratch / "lm_eval_tasks" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config, indent=2))  # JSON is YAML
    return path


def _by_template(about: dict[str, Row], paths: dict[str, Path]) -> dict[bool, list[str]]:
    """Task files by whether they use the chat template, which lm-eval sets for a whole call."""
    groups: dict[bool, list[str]] = {}
    for name, path in paths.items():
        groups.setdefault(about[name]["chat_template"], []).append(str(path))
    return groups


def _language_model(folder: str, dtype: str, batch_size: int) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return HFLM(pretrained=folder, device=device, dtype=dtype, batch_size=batch_size)


def _samples(model: Any, groups: dict[bool, list[str]], **options: Any) -> dict[str, list[Row]]:
    """lm-eval's logged samples by task."""
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


def _items(name: str, about: Row, samples: list[Row]) -> Iterator[Row]:
    for sample in samples:
        for theirs, ours in about["reports"].items():
            value = float(sample[theirs])
            yield {
                "item": f"{name}-{sample['doc_id']}",
                "metric": ours,
                "value": None if math.isnan(value) else 100.0 * value,
                "status": "missing" if math.isnan(value) else "ok",
                "reason": f"{theirs} is not a number" if math.isnan(value) else None,
            }


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
