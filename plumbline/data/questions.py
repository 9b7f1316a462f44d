"""What a row asks, in whichever file it comes: feedback, evaluation sets, lm-eval's documents."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from plumbline.artifacts import read_rows
from plumbline.data.contamination import user_turns
from plumbline.data.records import Value, records
from plumbline.errors import DataError

#: Where a row's question stands: in the first of these fields that it has.
FIELDS = ("prompt", "instruction", "question", "Question", "turns", "problem", "ctx")


def question(row: Mapping[str, Any]) -> list[str] | None:
    """The user turns of a row, None for a row without any of `FIELDS`.

    The field holds text, a list of user turns, or a list of messages; one without a role is the
    user's.
    """
    asked = next((row[name] for name in FIELDS if row.get(name) is not None), None)
    if asked is None or isinstance(asked, str):
        return asked and [asked]
    return user_turns(
        {"role": "user"} | (turn if isinstance(turn, Mapping) else {"content": turn})
        for turn in asked
    )


def questions(path: Path) -> dict[str, list[str]]:
    """The questions of a file by their place in it.

    path: .jsonl, .json with a list of rows, either of them .gz, or .parquet. Raises DataError where
    the file is absent or a row has none of `FIELDS`.
    """
    if not path.is_file():
        raise DataError(f"data absent: no file {path}; give one with a row for each prompt")
    return {str(place): _asked(row) for place, row in enumerate(_rows(path), start=1)}


def _asked(row: Value) -> list[str]:
    found = question(row.value)
    if found is None:
        raise row.wrong(f"one of the fields {', '.join(FIELDS)}")
    return found


def _rows(path: Path) -> Iterator[Value]:
    if path.suffix == ".parquet":
        return _numbered(path, read_rows(path))
    if path.name.endswith((".json", ".json.gz")):
        open_ = gzip.open if path.suffix == ".gz" else open
        with open_(path, "rt", encoding="utf-8") as file:
            return _numbered(path, json.load(file))
    return (row for _, row in records(str(path)))


def _numbered(path: Path, rows: Iterable[Any]) -> Iterator[Value]:
    return (Value(f"{path}, row {number}", "", row) for number, row in enumerate(rows, start=1))
