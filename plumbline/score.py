"""Stage score: a benchmark's item rows for one model, and the result rows they add up to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from math import sqrt
from statistics import fmean, stdev
from types import ModuleType
from typing import Any

from plumbline import ENGINE
from plumbline.artifacts import digest, is_current, read_json, read_rows, write_rows
from plumbline.config import Experiment
from plumbline.contracts import Judge, Metric, Model, Responses
from plumbline.data.contamination import pair, user_turns
from plumbline.errors import MethodError
from plumbline.layout import Run, SettingFolder
from plumbline.plugins import BenchmarkSpec, load_benchmark
from plumbline.provenance import leave_trace
from plumbline.rows import DYNAMICS, ITEM, RESULT
from plumbline.targets import Target

Row = dict[str, Any]


def score(
    experiment: Experiment, name: str, split: str, target: Target, judge: Judge | None
) -> str:
    """Write a target's items and rows on one benchmark, unless they are current.

    Returns "current" or the worst status among the rows.
    """
    started, spec = time.perf_counter(), experiment.benchmark(name)
    record = target.record
    made_from = fingerprint(experiment, spec, record["model"], judge)
    path = target.evaluation.rows(name)
    if is_current(path, made_from):
        return "current"
    base = identity(experiment, spec, split, target) | provenance(target, made_from, record, judge)
    if record["status"] == "diverged":
        items, rows = [], [_empty(metric, "diverged", "training") for metric in spec.card.metrics]
    else:
        answers = [] if spec.needs == "model" else read_rows(target.evaluation.responses(name))
        items = _items(experiment, spec, target, answers, judge)
        told = decoding(experiment, spec, answers)
        texts = asked(spec, answers, items)
        rows = [
            row | {"decoding": told.get(row["metric"])}
            for row in beside_clean(spec, split, target, items, texts)
        ]
    who = {key: base[key] for key in ITEM.names if key in base}
    write_rows(target.evaluation.items(name), [who | kept(item) for item in items], ITEM)
    write_rows(path, [base | row for row in rows], RESULT, made_from)
    leave_trace(path, started)
    return max((row["status"] for row in rows), key=STATUSES.index)


#: From best to worst.
STATUSES = ["ok", "incomplete", "refused", "not_run", "diverged"]


def fingerprint(
    experiment: Experiment, spec: BenchmarkSpec, model: str | None, judge: Judge | None
) -> Row:
    """Everything that decides a score but the weights' own history."""
    server = experiment.generation if spec.needs == "responses" else None
    return {
        "engine": ENGINE,
        "model": model,
        "benchmark": spec.digest,
        "options": experiment.options(spec.name),
        "judge": [judge.name, judge.version] if judge and spec.card.judged else None,
    } | ({"generation": server.identity()} if server else {})


def identity(experiment: Experiment, spec: BenchmarkSpec, split: str, target: Target) -> Row:
    """The columns of `rows.IDENTITY`."""
    return {
        "setting": target.setting,
        "experiment": experiment.experiment,
        "method": target.method,
        "point": target.run.point if target.run else None,
        "seed": target.seed,
        "split": split,
        "benchmark": spec.name,
        "version": spec.card.version,
    }


def provenance(target: Target, made_from: Row, record: Row, judge: Judge | None) -> Row:
    """Who judged, and the digests of what the number was made from."""
    judged = judge if made_from["judge"] else None
    data = read_json(SettingFolder(target.setting).data_record)
    return {
        "judge": judged and judged.name,
        "judge_version": judged and judged.version,
        "model_digest": record["model"],
        "data_digest": digest(data["splits"]),
        "code_digest": digest([made_from["benchmark"], made_from["options"], ENGINE]),
    }


def _items(
    experiment: Experiment,
    spec: BenchmarkSpec,
    target: Target,
    answers: list[Row],
    judge: Judge | None,
) -> list[Row]:
    scratch = target.evaluation.scratch(spec.name)
    scratch.mkdir(parents=True, exist_ok=True)
    scratch = scratch.resolve()  # evaluators may look for relative paths elsewhere
    if spec.needs == "model":
        subject: Any = Model(str(target.model_folder.resolve()), target.name, str(scratch))
    else:
        rows = [row | {"payload": json.loads(row["payload"])} for row in answers]
        subject = Responses(rows, target.name, str(scratch))
    options = spec.options_for("score", experiment.options(spec.name))
    others = (judge,) if spec.card.judged else ()
    return load_benchmark(spec).score(subject, *others, **options)


def decoding(experiment: Experiment, spec: BenchmarkSpec, answers: list[Row]) -> dict[str, str]:
    """Metric -> how what it measures was asked for: what the benchmark says of itself, or how the
    answers that it reads were sampled."""
    module = load_benchmark(spec)
    if hasattr(module, "decoding"):
        return module.decoding(**spec.options_for("decoding", experiment.options(spec.name)))
    if spec.needs == "model":
        return {}
    text = sampling(answers)
    if experiment.generation:
        text += f", answered by {experiment.generation.name}"
    return {metric.name: text for metric in spec.card.metrics}


def sampling(answers: Iterable[Row]) -> str:
    """Temperatures (0 is greedy) and token limits of `rows.RESPONSE` dicts, in words."""
    used = [(f"{row['temperature']:g}", row["max_new_tokens"]) for row in answers]
    temperatures = " or ".join(sorted({temperature for temperature, _ in used}, key=float))
    limits = " or ".join(map(str, sorted({limit for _, limit in used})))
    return f"temperature {temperatures}, at most {limits} new tokens"


def summarise(module: ModuleType, spec: BenchmarkSpec, items: list[Row]) -> list[Row]:
    """One result row per declared metric, by the benchmark's own `summarise` or by the mean.

    A declared metric that does not come out is null with status not_run; MethodError for one that
    comes out undeclared.
    """
    found = getattr(module, "summarise", means)(items)
    rows = {row["metric"]: row for row in found}
    undeclared = rows.keys() - {metric.name for metric in spec.card.metrics}
    if undeclared:
        raise MethodError(f"{spec.path} gave undeclared metrics {sorted(undeclared)}")
    return [_result(metric, rows.get(metric.name), items) for metric in spec.card.metrics]


def beside_clean(
    spec: BenchmarkSpec,
    split: str,
    target: Target,
    items: list[Row],
    texts: dict[str, list[str]],
) -> list[Row]:
    """The result rows, each with what the items that are not in the training prompts add up to.

    texts: what was asked, by `named`. Without it where an item does not say what it asks.
    """
    module = load_benchmark(spec)
    rows = summarise(module, spec, items)
    if any(item["value"] is not None and named(item) not in texts for item in items):
        return rows
    overlaps = pair(SettingFolder(target.setting), spec.name, split, texts)
    marked = {row["id"] for row in overlaps if row["exact"] or row["ngram"]}
    clean = [item for item in items if named(item) not in marked]
    if not clean:
        return [row | {"n_contaminated": row["n"]} for row in rows]
    others = rows if len(clean) == len(items) else summarise(module, spec, clean)
    return [
        row | without(metric, row, other)
        for metric, row, other in zip(spec.card.metrics, rows, others, strict=True)
    ]


def without(metric: Metric, row: Row, other: Row) -> Row:
    """The columns of `rows.RESULT` on contamination. other: the metric's row over clean items."""
    count = row["n"] - other["n"]
    clean = {"clean_value": other["value"], "clean_se": other.get("se")}
    return {"n_contaminated": count} | (clean if count and metric.divisible else {})


def asked(
    spec: BenchmarkSpec, answers: Iterable[Row], items: Iterable[Row]
) -> dict[str, list[str]]:
    """What the model was asked, turn by turn, by `named`."""
    if spec.needs == "model":
        return {named(item): [item["text"]] for item in items if item.get("text") is not None}
    return {row["id"]: user_turns(row["prompt"], row["follow_ups"]) for row in answers}


def named(item: Row) -> str:
    """The answer that an item scores, or itself where there is none."""
    return item.get("response") or item["item"]


def kept(item: Row) -> Row:
    """An item without its text: evaluation sets are not published here."""
    return {name: value for name, value in item.items() if name != "text"}


def means(items: Iterable[Row]) -> list[Row]:
    """Mean, standard error and count of each metric's values, over the items that have one."""
    values: dict[str, list[float]] = {}
    for item in items:
        kept = values.setdefault(item["metric"], [])
        kept += [item["value"]] if item["value"] is not None else []
    return [
        {
            "metric": metric,
            "value": fmean(kept) if kept else None,
            "se": stdev(kept) / sqrt(len(kept)) if len(kept) > 1 else None,
            "n": len(kept),
        }
        for metric, kept in values.items()
    ]


def _result(metric: Metric, found: Row | None, items: list[Row]) -> Row:
    if found is None:
        return _empty(metric, "not_run", "the benchmark gave no such number")
    expected = found.get("n_expected") or sum(item["metric"] == metric.name for item in items)
    expected = max(expected, found["n"])
    status = "ok" if found["n"] == expected and found["value"] is not None else "incomplete"
    base = {"better": metric.better, "n_expected": expected, "status": status}
    return base | found


def _empty(metric: Metric, status: str, reason: str) -> Row:
    return {
        "metric": metric.name,
        "better": metric.better,
        "value": None,
        "n": 0,
        "status": status,
        "reason": reason,
    }


def score_probes(experiment: Experiment, name: str, run: Run, judge: Judge | None) -> None:
    """Score the answers that a run gave while it trained: dynamics, one row per step and metric."""
    spec = experiment.benchmark(name)
    record = read_json(run.record)
    made_from = fingerprint(experiment, spec, record["model"], judge)
    if record["status"] != "ok" or is_current(run.probe_rows(name), made_from):
        return
    module = load_benchmark(spec)
    options = spec.options_for("score", experiment.options(name))
    others = (judge,) if spec.card.judged else ()
    steps: dict[int, list[Row]] = {}
    for row in read_rows(run.probes):
        steps.setdefault(row["step"], []).append(row | {"payload": json.loads(row["payload"])})
    rows = [
        {"step": step, "split": "validation", "metric": found["metric"], "value": found["value"]}
        for step, answers in steps.items()
        for found in summarise(
            module, spec, module.score(Responses(answers, run.method, ""), *others, **options)
        )
        if found["value"] is not None
    ]
    write_rows(run.probe_rows(name), rows, DYNAMICS, made_from)
