"""AlpacaEval 2: how often a judge prefers the model's answer to a reference's.

The comparison is alpaca_eval 0.6.6's own `evaluate` with the prompt, log-probability parser and
seeded order randomisation of `weighted_alpaca_eval_gpt4_turbo`; only the requests go over one
connection pool instead of a new client each.

Two length-controlled win rates, never mixed up:

* `length_controlled_win_rate` is alpaca_eval's own (arXiv 2404.04475). Its regression has terms for
  the 805 official instructions by position, so it exists for those 805 in order and needs the
  options `official_reference` and `length_calibration`. Elsewhere it is absent.
* `length_controlled_win_rate_glm` is ours, for any set of instructions: the probability of a win is
  fitted as logistic(a + b * tanh(d / sd(d))), where d is answer length less reference length in
  characters; the value is 100 * logistic(a), the win rate at equal length. Where no answer is about
  as long as its reference this extrapolates, and the standard error shows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from plumbline import Data, Judge, Metric, Responses, benchmark
from plumbline.errors import DataError
from plumbline.plugins import beside

if TYPE_CHECKING:
    from plumbline.judge.client import Reply

Row = dict[str, Any]

asking = beside(__file__, "asking")
glm = beside(__file__, "glm")
official = beside(__file__, "official")
recorded = beside(__file__, "recorded")


def prompts(
    data: Data,
    split: str,
    *,
    reference: str = "toyland",
    limit: int | None = 256,
    max_new_tokens: int = 48,
    temperature: float = 1.0,
) -> list[Row]:
    """The instructions of the reference outputs. The defaults suit Toyland.

    reference: "toyland", or a JSON file of AlpacaEval's form (`instruction`, `output`,
    `generator`), which may be gzipped. limit: the first so many; null for all.
    """
    rows = _toyland(limit) if reference == "toyland" else recorded.outputs(reference)[:limit]
    return [
        {
            "id": f"alpaca-{index}",
            "prompt": [{"role": "user", "content": row["instruction"]}],
            "follow_ups": [],
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
            "payload": {key: row[key] for key in ("instruction", "output")},
        }
        for index, row in enumerate(rows)
    ]


def _toyland(limit: int | None) -> list[Row]:
    from plumbline.toyland.evaluation import alpaca_reference

    return alpaca_reference(official.SIZE if limit is None else limit)


@benchmark(
    title="AlpacaEval 2",
    version="1",
    metrics=(
        Metric("win_rate", "higher", "%", 0.0, 100.0),
        Metric("length_controlled_win_rate_glm", "higher", "%", 0.0, 100.0),
        Metric("length_controlled_win_rate", "higher", "%", 0.0, 100.0, divisible=False),
        Metric("length", "none", "characters", 0.0, 1e9),
    ),
    judged=True,
)
def score(
    responses: Responses,
    judge: Judge,
    *,
    official_reference: str | None = None,
    length_calibration: str | None = None,
    length_calibration_sha256: str | None = None,
    judge_workers: int = 4,
) -> list[Row]:
    """Compare every answer with its reference output.

    official_reference: the 805 official reference outputs; length_calibration: AlpacaEval's
    df_gamed.csv, or "hub" for the original on the Hugging Face hub; with both, and the official
    instructions in order, its own length control is fitted. length_calibration_sha256: what the
    calibration must be, byte for byte. Item values: `win_rate` is 100 * P(win), lengths are in
    characters; the reason of a length-controlled one names the sha256 of the calibration that was
    used. ConfigError for a calibration that is absent or another.
    """
    if length_calibration is not None:
        key = "benchmarks.alpaca_eval_2.length_calibration"
        official.check(length_calibration, length_calibration_sha256, key)
    answered = [row for row in responses.rows if row["answers"]]
    annotations = _annotate(answered, responses, judge, judge_workers) if answered else []
    items = [item for row in annotations for item in _items(row)]
    silent = [row["id"] for row in responses.rows if not row["answers"]]
    items += [_item(name, "win_rate", None, reason="no answer") for name in silent]
    scratch = Path(responses.scratch)
    obstacle = _obstacle(responses.rows, annotations, official_reference, length_calibration)
    if not obstacle:
        calibration, obstacle = official.calibration_file(length_calibration, scratch)
    if obstacle:
        return items + [_absent(row["id"], obstacle) for row in responses.rows]
    controlled = official.length_controlled(annotations, calibration, scratch)
    made_with = f"length_calibration has sha256 {controlled['calibration_sha256']}"
    return items + [
        _item(row["id"], "length_controlled_win_rate", 100.0 * preference, reason=made_with)
        for row, preference in zip(annotations, controlled["preferences"], strict=True)
    ]


def _annotate(rows: list[Row], responses: Responses, judge: Judge, workers: int) -> list[Row]:
    """alpaca_eval's annotations, in the order of `rows`, with our ids."""
    with asking.root_logger_kept():
        from alpaca_eval import evaluate

        asked = asking.Asked(judge, workers)
        _, annotations = evaluate(
            model_outputs=[_output(row, row["answers"][0], responses.name) for row in rows],
            reference_outputs=[_output(row, row["payload"]["output"], "reference") for row in rows],
            annotators_config=asking.annotator(Path(responses.scratch), judge),
            fn_completions=asked,
            other_output_keys_to_keep=("{annotation_key}_judgment",),
            annotation_kwargs={"is_ordered": True},
            name=responses.name,
            fn_metric=_win_rate,
            sort_by="win_rate",
            precomputed_leaderboard=None,
            is_cache_leaderboard=False,
            is_return_instead_of_print=True,
            output_path=None,
            caching_path=None,
        )
    reason = asked.refusals()
    return [
        {**annotation, "id": row["id"], "reason": reason}
        for row, annotation in zip(rows, annotations, strict=True)
    ]


def _win_rate(annotations: list[Row]) -> dict[str, float]:
    """alpaca_eval's `get_winrate` over the items with a verdict; it cannot take none at all."""
    from alpaca_eval.metrics import get_winrate

    judged = [row for row in annotations if _has_verdict(row)]
    return get_winrate(judged) if judged else {"win_rate": math.nan, "standard_error": math.nan}


def _has_verdict(annotation: Row) -> bool:
    return annotation["preference"] is not None and not math.isnan(annotation["preference"])


def _output(row: Row, output: str, generator: str) -> Row:
    return {
        "instruction": row["payload"]["instruction"],
        "output": output,
        "generator": generator,
    }


def _items(row: Row) -> Iterator[Row]:
    """The item rows of one annotation."""
    key = row.get("preference_judgment")
    asked = {"judgment": key if isinstance(key, str) else None}
    if _has_verdict(row):
        yield _item(row["id"], "win_rate", 100.0 * (row["preference"] - 1.0), **asked)
    else:
        yield _item(row["id"], "win_rate", None, reason=row["reason"], **asked)
    yield _item(row["id"], "length", float(len(row["output_2"])))
    yield _item(row["id"], "reference_length", float(len(row["output_1"])))


def _item(name: str, metric: str, value: float | None, **more: Any) -> Row:
    status = "missing" if value is None else "ok"
    return {
        "item": name,
        "response": name,
        "metric": metric,
        "value": value,
        "status": status,
    } | more


def _obstacle(
    rows: list[Row], annotations: list[Row], reference: str | None, calibration: str | None
) -> str | None:
    """Why alpaca_eval's own length control does not apply, or None."""
    if reference is None or calibration is None:
        return "needs the options official_reference and length_calibration"
    instructions = [row["instruction"] for row in recorded.outputs(reference)]
    if problem := official.strange(instructions):
        return f"official_reference: {problem}"
    if [row["payload"]["instruction"] for row in rows] != instructions:
        return f"the prompts are not the {official.SIZE} official instructions in order"
    judged = sum(map(_has_verdict, annotations))
    if judged != official.SIZE:
        return f"only {judged} of {official.SIZE} comparisons have a verdict"
    return None


def _absent(name: str, reason: str) -> Row:
    item = _item(name, "length_controlled_win_rate", None, reason=reason)
    return item | {"status": "not_run"}


def summarise(items: list[Row]) -> list[Row]:
    """Win rate and length as means with standard errors, and both length-controlled win rates."""
    values = _values(items)
    controlled = glm.win_rate_at_equal_length(*_compared(values))
    expected = sum(item["metric"] == "win_rate" for item in items)
    theirs = _mean("length_controlled_win_rate", values)
    return [
        _mean("win_rate", values),
        controlled | {"metric": "length_controlled_win_rate_glm", "n_expected": expected},
        theirs if theirs["n"] else theirs | _why_absent(items),
        _mean("length", values),
    ]


def pseudo_values(items: list[Row]) -> dict[str, dict[str, float]]:
    """Metric -> item -> its part in the metric, where that is no mean of items and has a fit."""
    values = _values(items)
    found = glm.pseudo_values(*_compared(values))
    if found is None:
        return {}
    names = sorted(values["win_rate"])
    return {"length_controlled_win_rate_glm": dict(zip(names, found, strict=True))}


def _values(items: list[Row]) -> dict[str, dict[str, float]]:
    """Metric -> item -> value, for the values that there are."""
    return {
        metric: {
            item["item"]: item["value"]
            for item in items
            if item["metric"] == metric and item["value"] is not None
        }
        for metric in ("win_rate", "length", "reference_length", "length_controlled_win_rate")
    }


def _compared(values: dict[str, dict[str, float]]) -> tuple[list[float], list[float]]:
    """P(win) and difference of lengths of the items with a verdict, by name."""
    names = sorted(values["win_rate"])
    return (
        [values["win_rate"][name] / 100 for name in names],
        [values["length"][name] - values["reference_length"][name] for name in names],
    )


def _mean(metric: str, values: dict[str, dict[str, float]]) -> Row:
    numbers = [values[metric][name] for name in sorted(values[metric])]
    n = len(numbers)
    return {
        "metric": metric,
        "value": fmean(numbers) if n else None,
        "se": stdev(numbers) / math.sqrt(n) if n > 1 else None,
        "n": n,
    }


def _why_absent(items: list[Row]) -> Row:
    reasons = {item["reason"] for item in items if item["status"] == "not_run"}
    return {"status": "not_run", "reason": "; ".join(sorted(reasons))}


def rescore(
    *, outputs: Path, reference: Path, annotations: Path, regularisation: str | None = None
) -> list[Row]:
    """The scores that recorded annotations give a model, by alpaca_eval's own functions.

    outputs: the model's model_outputs.json. reference: the reference model's, in the same form.
    annotations: annotations.json, with the outputs or with their lengths only, joined by `index` or
    position. All may be gzipped. regularisation: df_gamed.csv, or "hub" for the original; without
    it there is no length_controlled_win_rate, and with it that row has the file's sha256.
    """
    if regularisation is not None:
        official.check(regularisation, None, "--regularisation")
    found = recorded.read(outputs, reference, annotations)
    return [
        {
            "benchmark": "alpaca_eval_2",
            "model": found.model,
            "reference": found.baseline,
            "annotators": found.annotators,
            "scores": _recorded_scores(found, regularisation),
            "problems": found.problems,
        }
    ]


def _recorded_scores(found: Any, regularisation: str | None) -> list[Row]:
    """Result rows of recorded judgments. found: `recorded.Recorded`."""
    judged = [row for row in found.rows if _has_verdict(row)]
    items = [item for row in judged if row["matches"] for item in _items(row)]
    controlled = next(row for row in summarise(items) if row["metric"].endswith("_glm"))
    lengths = [float(len(row["output_2"])) for row in found.rows]
    rows = [
        *asking.win_rates([row["preference"] for row in judged]),
        _recorded_length_control(found, regularisation),
        controlled,
        _mean("length", {"length": dict(enumerate(lengths))}),
    ]
    return [recorded.complete(row, len(found.instructions), found.problems) for row in rows]


def _recorded_length_control(found: Any, regularisation: str | None) -> Row:
    """alpaca_eval's own length control, or why there is none."""
    row = {"metric": "length_controlled_win_rate", "value": None, "se": None, "n": 0}
    instructions = [row["instruction"] for row in found.rows]
    strange = official.strangers(instructions, found.instructions, found.baseline)
    obstacles = [*found.problems, *strange]
    if obstacles:
        return row | {"status": "refused", "reason": "; ".join(obstacles)}
    if regularisation is None:
        reason = f"needs --regularisation: AlpacaEval's df_gamed.csv, or {official.HUB}"
        return row | {"status": "not_run", "reason": reason}
    with TemporaryDirectory() as folder:
        calibration, reason = official.calibration_file(regularisation, Path(folder))
        if reason:
            return row | {"status": "not_run", "reason": reason}
        controlled = official.length_controlled(found.rows, calibration, Path(folder))
    return row | {
        "value": controlled["win_rate"],
        "se": controlled["standard_error"],
        "n": len(controlled["preferences"]),
        "calibration_sha256": controlled["calibration_sha256"],
    }


def audit_cases(*, outputs: str, reference: str, annotations: str) -> list[Row]:
    """Comparisons with a recorded verdict; the model's output is shown second.

    Files as of `rescore`. recorded: the recorded P(the model's output is preferred).
    """
    found = recorded.read(outputs, reference, annotations)
    sound = [row for row in found.rows if row["matches"] and _has_verdict(row)]
    if not sound:
        raise DataError(f"{annotations}: no judgment of {outputs}: {'; '.join(found.problems)}")
    swapped = [row | {"output_1": row["output_2"], "output_2": row["output_1"]} for row in sound]
    requests = zip(sound, asking.requests(sound), asking.requests(swapped), strict=True)
    return [
        {
            "id": row["id"],
            "request": request,
            "swapped": exchanged,
            "recorded": row["preference"] - 1.0,
        }
        for row, request, exchanged in requests
    ]


def read_verdict(reply: Reply) -> float | None:
    """P(the output that was shown second is preferred): the model's in `request`; 1 - it in
    `swapped`."""
    return asking.verdict(reply.choice) if reply.choice else None
