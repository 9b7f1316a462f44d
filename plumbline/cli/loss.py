"""A method's losses and gradients on numbers from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from plumbline.errors import DataError
from plumbline.outside import rows
from plumbline.outside.point import loss_at
from plumbline.plugins import method_spec


def run(name: str, batch: Path, words: list[str], folders: list[Path], dtype: torch.dtype) -> None:
    """Print {"losses": [...], "gradients": {...}}. batch: a JSON file; words: KEY=VALUE each."""
    spec = method_spec(name, tuple(folders))
    loss = loss_at(spec, point(words))
    given = rows.read(document(batch), spec, dtype)
    print(json.dumps(rows.losses_and_gradients(loss, given)))


def document(path: Path) -> object:
    """What a JSON file says; DataError where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: no JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be UTF-8: {error}") from error


def point(words: list[str]) -> dict[str, Any]:
    """KEY=VALUE words as hyperparameters; a value that is no number stays a text, to be refused."""
    pairs = (word.partition("=") for word in words)
    return {key: _number(text) for key, _, text in pairs}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
