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

import gzip
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from plumbline import Data, Judge, Metric, Responses, benchmark

Row = dict[str, Any]

RECIPE = "weighted_alpaca_eval_gpt4_turbo"
OFFICIAL_SIZE = 805
LENGTH_CONTROL = Path(__file__).parent / "alpaca_eval_2" / "length_controlled.py"
# What alpaca_eval's parser reads as "neither": the item stays without a preference.
NO_VERDICT = {"logprobs": {"content": [{"top_logprobs": []}]}}


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
    rows = _toyland(limit) if reference == "toyland" else _read(reference)[:limit]
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

    return alpaca_reference(OFFICIAL_SIZE if limit is None else limit)


def _read(path: str) -> list[Row]:
    open_ = gzip.open if path.endswith(".gz") else open
    with open_(path, "rt", encoding="utf-8") as file:
        return json.load(file)


@benchmark(
    title="AlpacaEval 2",
    version="1",
    metrics=(
        Metric("win_rate", "higher", "%", 0.0, 100.0),
        Metric("length_controlled_win_rate_glm", "higher", "%", 0.0, 100.0),
        Metric("length_controlled_win_rate", "higher", "%", 0.0, 100.0),
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
    judge_workers: int = 4,
) -> list[Row]:
    """Compare every answer with its reference output.

    official_reference: the 805 official reference outputs; length_calibration: AlpacaEval's
    df_gamed.csv; with both, and the official instructions in order, its own length control is
    fitted. Item values: `win_rate` is 100 * P(win), lengths are in characters.
    """
    answered = [row for row in responses.rows if row["answers"]]
    annotations = _annotate(answered, responses, judge, judge_workers) if answered else []
    items = [item for row in annotations for item in _items(row)]
    silent = [row["id"] for row in responses.rows if not row["answers"]]
    items += [_item(name, "win_rate", None, reason="no answer") for name in silent]
    obstacle = _obstacle(responses.rows, annotations, official_reference, length_calibration)
    if obstacle:
        names = [row["id"] for row in responses.rows]
        return items + [_absent(name, obstacle) for name in names]
    return items + _length_controlled(annotations, length_calibration, Path(responses.scratch))


def _annotate(rows: list[Row], responses: Responses, judge: Judge, workers: int) -> list[Row]:
    """alpaca_eval's annotations, in the order of `rows`, with our ids."""
    with _root_logger_kept():
        from alpaca_eval import evaluate

        asked = _Asked(judge, workers)
        _, annotations = evaluate(
            model_outputs=[_output(row, row["answers"][0], responses.name) for row in rows],
            reference_outputs=[_output(row, row["payload"]["output"], "reference") for row in rows],
            annotators_config=_annotator(Path(responses.scratch), judge),
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


def _annotator(scratch: Path, judge: Judge) -> str:
    """A folder with the official annotator, less the part that makes requests."""
    recipe = _recipe()
    template = _package() / "evaluators_configs" / recipe["prompt_template"]
    ours = {
        key: recipe[key] for key in recipe if key not in ("fn_completions", "completions_kwargs")
    }
    folder = scratch / "annotators" / judge.name
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    config = {judge.name: {**ours, "prompt_template": str(template)}}
    (folder / "configs.yaml").write_text(json.dumps(config, indent=2))
    return str(folder)


def _recipe() -> Row:
    import yaml

    config = _package() / "evaluators_configs" / RECIPE / "configs.yaml"
    return yaml.safe_load(config.read_text())[RECIPE]


def _package() -> Path:
    import alpaca_eval

    return Path(alpaca_eval.__file__).parent


class _Asked:
    """alpaca_eval's `fn_completions`: answers to prompts, over one pool of connections."""

    def __init__(self, judge: Judge, workers: int) -> None:
        self.judge = judge
        self.workers = workers
        # alpaca_eval's own client sends top_p = 1.
        self.options = {"top_p": 1.0, **_recipe()["completions_kwargs"]}
        del self.options["model_name"]
        self.reasons: set[str] = set()

    def __call__(self, prompts: list[str]) -> dict[str, list]:
        from alpaca_eval.utils import prompt_to_chatml

        from plumbline.judge.client import ask_all

        requests = [{"messages": prompt_to_chatml(text), **self.options} for text in prompts]
        replies = ask_all(self.judge, requests, workers=self.workers)
        self.reasons |= {reply.reason for reply in replies if reply.reason}
        return {
            "completions_all": [reply.choice or NO_VERDICT for reply in replies],
            "judgment": [reply.key for reply in replies],
        }

    def refusals(self) -> str:
        """Why items may lack a preference."""
        return "; ".join(sorted(self.reasons)) or "the judge's answer has no verdict"


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Importing alpaca_eval makes the root logger print everything at INFO; undo that."""
    import logging

    level = logging.getLogger().level
    try:
        import alpaca_eval  # noqa: F401

        logging.getLogger().setLevel(max(level, logging.WARNING))
        yield
    finally:
        logging.getLogger().setLevel(level)


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
    official = [row["instruction"] for row in _read(reference)]
    if len(official) != OFFICIAL_SIZE:
        return f"official_reference has {len(official)} instructions, not {OFFICIAL_SIZE}"
    if [row["payload"]["instruction"] for row in rows] != official:
        return f"the prompts are not the {OFFICIAL_SIZE} official instructions in order"
    judged = [row for row in annotations if _has_verdict(row)]
    if len(judged) != OFFICIAL_SIZE:
        return f"only {len(judged)} of {OFFICIAL_SIZE} comparisons have a verdict"
    return None


def _absent(name: str, reason: str) -> Row:
    item = _item(name, "length_controlled_win_rate", None, reason=reason)
    return item | {"status": "not_run"}


def _length_controlled(annotations: list[Row], calibration: str, scratch: Path) -> list[Row]:
    """alpaca_eval's length-controlled preferences as item rows."""
    columns = ("preference", "output_1", "output_2", "generator_1", "generator_2")
    given, output = scratch / "annotations.json", scratch / "length_controlled.json"
    given.write_text(json.dumps([{key: row[key] for key in columns} for row in annotations]))
    arguments = [given, calibration, scratch / "huggingface", output]
    subprocess.run([sys.executable, LENGTH_CONTROL, *arguments], check=True)
    return [
        _item(row["id"], "length_controlled_win_rate", 100.0 * preference)
        for row, preference in zip(annotations, json.loads(output.read_text()), strict=True)
    ]


def summarise(items: list[Row]) -> list[Row]:
    """Win rate and length as means with standard errors, and both length-controlled win rates."""
    values = {
        metric: {
            item["item"]: item["value"]
            for item in items
            if item["metric"] == metric and item["value"] is not None
        }
        for metric in ("win_rate", "length", "reference_length", "length_controlled_win_rate")
    }
    wins = sorted(values["win_rate"])
    controlled = win_rate_at_equal_length(
        [values["win_rate"][name] / 100 for name in wins],
        [values["length"][name] - values["reference_length"][name] for name in wins],
    )
    expected = sum(item["metric"] == "win_rate" for item in items)
    official = _mean("length_controlled_win_rate", values)
    return [
        _mean("win_rate", values),
        controlled | {"metric": "length_controlled_win_rate_glm", "n_expected": expected},
        official if official["n"] else official | _why_absent(items),
        _mean("length", values),
    ]


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


def win_rate_at_equal_length(wins: list[float], differences: list[float]) -> Row:
    """Our length control (see the module's docstring): `value` and `se` in percent, and `n`.

    wins: probabilities in [0, 1]; differences: answer length less reference length, in characters.
    The standard error is the delta method's on the intercept's robust (HC0) standard error.
    Value null where no fit exists: no spread in lengths, or too few or separable items.
    """
    row = {"value": None, "se": None, "n": len(wins), "reason": "no length-controlled fit exists"}
    spread = stdev(differences) if len(differences) > 2 else 0.0
    if spread == 0.0:
        return row
    fit = _logistic_fit(wins, [math.tanh(difference / spread) for difference in differences])
    if not fit.converged:
        return row
    rate = 1.0 / (1.0 + math.exp(-fit.params[0]))
    error = 100.0 * rate * (1.0 - rate) * float(fit.bse[0])
    return row | {"value": 100.0 * rate, "se": error, "reason": None}


def _logistic_fit(outcomes: list[float], feature: list[float]) -> Any:
    """Logistic regression of fractional outcomes on a constant and one feature."""
    import warnings

    import numpy
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    design = numpy.column_stack([numpy.ones(len(feature)), feature])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # separable items: told by `converged`
        return GLM(numpy.asarray(outcomes), design, family=Binomial()).fit(cov_type="HC0")
