"""What alpaca_eval asks its judge, over one pool of connections, and how it reads the answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from plumbline import Judge

Row = dict[str, Any]

RECIPE = "weighted_alpaca_eval_gpt4_turbo"
# What alpaca_eval's parser reads as "neither": the item stays without a preference.
NO_VERDICT = {"logprobs": {"content": [{"top_logprobs": []}]}}


def annotator(scratch: Path, judge: Judge) -> str:
    """A folder with the official annotator, less the part that makes requests."""
    recipe = _recipe()
    ours = {
        key: recipe[key] for key in recipe if key not in ("fn_completions", "completions_kwargs")
    }
    folder = scratch / "annotators" / judge.name
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    config = {judge.name: {**ours, "prompt_template": str(_template())}}
    (folder / "configs.yaml").write_text(json.dumps(config, indent=2))
    return str(folder)


@cache
def _recipe() -> Row:
    import yaml

    config = package() / "evaluators_configs" / RECIPE / "configs.yaml"
    return yaml.safe_load(config.read_text())[RECIPE]


def _template() -> Path:
    return package() / "evaluators_configs" / _recipe()["prompt_template"]


def package() -> Path:
    import alpaca_eval

    return Path(alpaca_eval.__file__).parent


class Asked:
    """alpaca_eval's `fn_completions`: answers to prompts, over one pool of connections."""

    def __init__(self, judge: Judge, workers: int) -> None:
        self.judge = judge
        self.workers = workers
        self.reasons: set[str] = set()

    def __call__(self, prompts: list[str]) -> dict[str, list]:
        from plumbline.judge.client import ask_all

        requests = list(map(request, prompts))
        replies = ask_all(self.judge, requests, workers=self.workers)
        self.reasons |= {reply.reason for reply in replies if reply.reason}
        return {
            "completions_all": [reply.choice or NO_VERDICT for reply in replies],
            "judgment": [reply.key for reply in replies],
        }

    def refusals(self) -> str:
        """Why items may lack a preference."""
        return "; ".join(sorted(self.reasons)) or "the judge's answer has no verdict"


def request(prompt: str) -> Row:
    """The request that alpaca_eval's own client sends, less the model: with top_p = 1."""
    from alpaca_eval.utils import prompt_to_chatml

    options = {"top_p": 1.0, **_recipe()["completions_kwargs"]}
    del options["model_name"]
    return {"messages": prompt_to_chatml(prompt), **options}


def requests(rows: list[Row]) -> list[Row]:
    """What alpaca_eval asks its judge about each pair of outputs."""
    import pandas

    with root_logger_kept():
        from alpaca_eval.utils import make_prompts

        texts, _ = make_prompts(pandas.DataFrame(rows), _template().read_text())
        return [request(text) for text in texts]


def verdict(choice: Row) -> float | None:
    """P("M" is preferred to "m") in a judge's answer, or None, by alpaca_eval's own parser."""
    if not (choice.get("logprobs") or {}).get("content"):
        return None
    with root_logger_kept():
        from alpaca_eval.completion_parsers import logprob_parser

        [preference, *_] = logprob_parser(choice, **_recipe()["completion_parser_kwargs"])
    return None if math.isnan(preference) else float(preference) - 1.0


def win_rates(preferences: list[float]) -> Iterator[Row]:
    """The two win rates of alpaca_eval's `get_winrate`, both with its standard error."""
    import pandas

    with root_logger_kept():
        from alpaca_eval.metrics.helpers import AbsoluteScoringRule, ZeroOneScoringRule

    rules = {"win_rate": AbsoluteScoringRule(), "discrete_win_rate": ZeroOneScoringRule()}
    for metric, rule in rules.items():
        row = {"metric": metric, "value": None, "se": None, "n": len(preferences)}
        if preferences:
            found = rule.describe_head2head(pandas.Series(preferences))
            row["value"] = float(found["win_rate"])
        if len(preferences) > 1:
            row["se"] = float(found["standard_error"])
        yield row


@contextmanager
def root_logger_kept() -> Iterator[None]:
    """Importing alpaca_eval makes the root logger print everything at INFO; undo that."""
    import logging

    level = logging.getLogger().level
    try:
        import alpaca_eval  # noqa: F401

        logging.getLogger().setLevel(max(level, logging.WARNING))
        yield
    finally:
        logging.getLogger().setLevel(level)
