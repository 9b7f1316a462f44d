"""Result rows made up by hand; nothing here was measured."""

from collections.abc import Callable
from typing import Any

import pytest

DEFAULTS = {
    "setting": "toyland-0a1b2c3d",
    "experiment": "fabricated",
    "seed": 0,
    "split": "test",
    "benchmark": "toyland",
    "version": "1",
    "metric": "win_rate",
    "better": "higher",
    "se": None,
    "n": 100,
    "n_expected": 100,
    "status": "ok",
    "reason": None,
    "decoding": "greedy",
    "judge": None,
    "judge_version": None,
    "model_digest": "m",
    "data_digest": "d",
    "code_digest": "c",
}


def make_row(method: str, value: float | None, **changes: Any) -> dict[str, Any]:
    point = "default" if method == "sft" else "beta=0.1"
    return {**DEFAULTS, "method": method, "point": point, "value": value, **changes}


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Makes one `rows.RESULT` row."""
    return make_row
