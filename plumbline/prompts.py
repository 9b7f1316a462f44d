"""What a benchmark asks, as rows."""

from __future__ import annotations

import json
from typing import Any

from plumbline.config import Experiment
from plumbline.contracts import Data
from plumbline.layout import SettingFolder
from plumbline.plugins import load_benchmark
from plumbline.schema import Setting


def prompts_of(
    experiment: Experiment, benchmark: str, setting: Setting, folders: SettingFolder, split: str
) -> list[dict[str, Any]]:
    """PROMPT rows of a benchmark on a split, `payload` encoded as JSON."""
    spec = experiment.benchmark(benchmark)
    data = Data(str(folders.data(split).parent), setting.data.source, setting.data.seed)
    options = spec.options_for("prompts", experiment.options(benchmark))
    rows = load_benchmark(spec).prompts(data, split, **options)
    return [row | {"payload": json.dumps(row.get("payload"))} for row in rows]
