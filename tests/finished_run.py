"""A finished experiment made of files alone: what the stages leave, without a model behind it."""

import time
from pathlib import Path

import yaml

from plumbline import ENGINE, config
from plumbline.artifacts import derive_seed, digest, write_json, write_rows
from plumbline.cli import aggregate
from plumbline.contracts import Judge
from plumbline.layout import SettingFolder
from plumbline.provenance import leave_trace
from plumbline.rows import ITEM, REFERENCE, RESPONSE, RESULT
from plumbline.score import fingerprint, identity, provenance
from plumbline.select import select
from plumbline.targets import Target, targets

FILE = """
experiment: tiny
settings:
  small:
    data: {source: toyland, documents: 30, demonstrations: 20, pairs: 40, validation: 6, test: 6}
    model: {architecture: gpt_neox, hidden_size: 16, layers: 1, heads: 2, max_positions: 160,
            tokenizer: toyland}
    pretrain: {steps: 2, batch: 8, learning_rate: 0.004}
    sft: {data: demonstrations, steps: 2, batch: 8, learning_rate: 0.001}
    align: {learning_rate: 0.001, batch: {pairs: 16}}
methods: {sft: {}, dpo: {beta: [0.1, 0.3]}}
grid_points: 2
seeds: [0, 1]
benchmarks: {toyland: {limit: 4}, mt_bench: {}}
select: {benchmark: toyland, metric: win_rate, title: Gold win rate}
judge: {name: toyland-gold}
report:
  title: Tiny
  columns:
    - {benchmark: toyland, metric: win_rate, title: Win rate}
    - {benchmark: mt_bench, metric: mt_bench, title: Score}
  length: {benchmark: toyland, metric: length, title: Words}
"""


def finish(data: str = "data", sft: str = "sft", version: str = "1", **changes) -> Path:
    """Leave a finished run in the working folder; its experiment file.

    data, sft: what the data and the SFT model are made from. version: of the judge. changes: keys
    of the experiment file.
    """
    path = Path("tiny.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(FILE) | changes, sort_keys=False))
    experiment = config.read(path)
    judge = Judge("", "", experiment.judge.name, version)
    for folders in experiment.setting_folders().values():
        begin(folders, data, sft)
        runs = [run.record for name in experiment.methods for run in experiment.runs(folders, name)]
        for run in runs:
            parts = {"engine": ENGINE}
            leave(run, {"parts": parts, "status": "ok", "model": digest([sft, str(run)])})
        score_all(experiment, "validation", runs, judge)
        for name in experiment.methods:
            select(experiment, folders, name)
        chosen = [folders.selection(experiment.experiment, name) for name in experiment.methods]
        score_all(experiment, "test", chosen, judge)
    aggregate.run(path)
    return path


def begin(folders: SettingFolder, data: str, sft: str) -> None:
    """Data, base model, SFT model and reference of a setting."""
    write_json(folders.record, {})
    splits = {"train": {"rows": 40, "digest": digest(data)}, "test": {"rows": 6, "digest": ""}}
    leave(folders.data_record, {"source": "toyland", "splits": splits})
    for stage in (folders.pretrain, folders.sft):
        leave(stage.record, {"model": digest([sft, str(stage.folder)]), "engine": ENGINE})
    write_rows(folders.reference("pairs"), [], REFERENCE)
    leave_trace(folders.reference("pairs"), time.perf_counter())


def leave(path: Path, record: dict) -> None:
    """A record with its trace."""
    write_json(path, record)
    leave_trace(path, time.perf_counter())


def score_all(experiment: config.Experiment, split: str, paths: list[Path], judge: Judge) -> None:
    """Answers, items and rows of every model on every benchmark of a split."""
    for target in targets(experiment, split, paths):
        for name in experiment.benchmarks_on(split):
            score_one(experiment, name, split, target, judge)


def score_one(
    experiment: config.Experiment, name: str, split: str, target: Target, judge: Judge
) -> None:
    """Two items a metric, whose values are the number of their own name."""
    spec, where = experiment.benchmark(name), target.evaluation
    write_rows(where.responses(name), [], RESPONSE)
    leave_trace(where.responses(name), time.perf_counter())
    write_json(where.answered(name), {"turns": {"answered": 2}, "answered_by": "a test"})
    made_from = fingerprint(experiment, spec, target.record["model"], judge)
    base = identity(experiment, spec, split, target)
    judged = spec.card.judged
    items = [
        {"item": str(number), "metric": metric.name, "status": "ok"}
        | {"value": float(derive_seed("item", target.name, base["point"], metric.name, number))}
        | {"judgment": digest([target.name, metric.name, number]) if judged else None}
        for metric in spec.card.metrics
        for number in range(2)
    ]
    write_rows(where.items(name), [base | item for item in items], ITEM)
    found = [
        {
            "metric": metric.name,
            "better": metric.better,
            "value": sum(item["value"] for item in items if item["metric"] == metric.name) / 2**33,
            "n": 2,
            "n_expected": 2,
            "status": "ok",
        }
        for metric in spec.card.metrics
    ]
    base |= provenance(target, made_from, target.record, judge)
    write_rows(where.rows(name), [base | row for row in found], RESULT, made_from)
    leave_trace(where.rows(name), time.perf_counter())
