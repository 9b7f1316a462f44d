"""The rows of a file, a folder of files or a hub data set, each value knowing where it stands.

A value that is not what was expected becomes a `DataError` that names the file, the line, the
field, what was found (shortened and escaped, since it may be a model's output) and what belongs
there.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from plumbline.errors import DataError

Message: TypeAlias = dict[str, str]
Row: TypeAlias = dict[str, Any]

HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+?)(?::([\w+]+))?")
SUFFIXES = (".jsonl", ".jsonl.gz")
ROLES = ("system", "user", "assistant")
SHOWN = 60


def shown(value: Any) -> str:
    """A value for an error message: control characters escaped, at most `SHOWN` characters."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


@dataclass(frozen=True)
class Value:
    """A value of a row. place: file and line; path: `completions[2].response`, "" for the row."""

    place: str
    path: str
    value: Any

    def wrong(self, expected: str) -> DataError:
        """The error to raise where the value is not `expected`."""
        what = f"field {self.path!r}" if self.path else "the row"
        return DataError(f"{self.place}: {what} is {shown(self.value)}; expected {expected}")

    def __getitem__(self, name: str) -> Value:
        """The field `name` of an object; its value is None where it is absent."""
        if not isinstance(self.value, Mapping):
            raise self.wrong(f"an object with a field {name!r}")
        return Value(self.place, f"{self.path}.{name}".lstrip("."), self.value.get(name))

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, Mapping) and self.value.get(name) is not None

    def items(self) -> list[Value]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [
            Value(self.place, f"{self.path}[{index}]", item)
            for index, item in enumerate(self.value)
        ]

    def text(self) -> str:
        """Text, possibly empty; half an emoji (a lone surrogate) is none, as UTF-8 has none."""
        if not isinstance(self.value, str) or not _is_unicode(self.value):
            raise self.wrong("text")
        return self.value

    def number(self, low: float, high: float) -> float:
        """A number in [low, high]."""
        is_number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if not is_number or not low <= self.value <= high:
            raise self.wrong(f"a number from {low:g} to {high:g}")
        return float(self.value)

    def truth(self) -> bool:
        """true or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def turns(self) -> list[Message]:
        """A list of messages {role, content}."""
        return [_message(item) for item in self.items()]

    def prompt(self) -> list[Message]:
        """A conversation that ends with a user turn; plain text is a single user turn."""
        if isinstance(self.value, str):
            return [{"role": "user", "content": self.text()}]
        if not isinstance(self.value, list):
            raise self.wrong("text, or a list of messages")
        turns = self.turns()
        if not turns or turns[-1]["role"] != "user":
            raise self.wrong("messages that end with a user turn")
        return turns


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _message(item: Value) -> Message:
    role = item["role"].text()
    if role not in ROLES:
        raise item["role"].wrong(f"one of {', '.join(ROLES)}")
    return {"role": role, "content": item["content"].text()}


def records(path: str, skip: tuple[str, ...] = ()) -> Iterator[tuple[str, Value]]:
    """Each row of a source with its id, in the order of the files.

    path: a `.jsonl` or `.jsonl.gz` file, a folder of them at any depth (but for the folders named
    in `skip`), or a hub name, `owner/name` or `owner/name:split`. Ids say the file's place in the
    folder and the line, so that they are the same on every machine.
    """
    local = Path(path)
    if local.is_dir():
        for file in _files_in(local, skip):
            yield from _lines(file, _stem(file.relative_to(local)))
    elif local.is_file():
        yield from _lines(local, _stem(Path(local.name)))
    elif (name := HUB_NAME.fullmatch(path)) and not path.endswith(SUFFIXES):
        yield from _hub_rows(name[1], name[2])
    else:
        raise DataError(
            f"path {path!r}: no such file or folder, and no hub name (owner/name); "
            f"give a {' or '.join(SUFFIXES)} file, a folder of them, or a hub name"
        )


def _files_in(folder: Path, skip: tuple[str, ...]) -> list[Path]:
    files = sorted(file for file in folder.rglob("*") if file.name.endswith(SUFFIXES))
    files = [file for file in files if not set(skip) & set(file.parts)]
    if not files:
        raise DataError(f"folder {folder} holds no {' or '.join(SUFFIXES)} file; put one there")
    return files


def _stem(file: Path) -> str:
    return file.as_posix().removesuffix(".gz").removesuffix(".jsonl")


def _lines(file: Path, stem: str) -> Iterator[tuple[str, Value]]:
    """The objects of a file, one a line; blank lines count but hold no row."""
    empty = True
    for number, line in enumerate(_raw_lines(file), start=1):
        if line.strip():
            empty = False
            yield f"{stem}:{number}", _parsed(f"{file}, line {number}", line)
    if empty:
        raise DataError(f"{file} is empty; expected one JSON object a line")


def _raw_lines(file: Path) -> Iterator[bytes]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rb") as lines:
        try:
            yield from lines
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise DataError(
                f"{file} is not a whole gzip file ({error}); download it again "
                "(a git checkout without git-lfs holds pointers, not data)"
            ) from error


def _parsed(place: str, line: bytes) -> Value:
    try:
        row = json.loads(line)
    except ValueError as error:
        raw = line.decode("utf-8", "backslashreplace").strip()
        raise DataError(f"{place}: {shown(raw)} is not JSON in UTF-8 ({error})") from error
    if not isinstance(row, dict):
        raise Value(place, "", row).wrong("a JSON object")
    return Value(place, "", row)


def _hub_rows(name: str, split: str | None) -> Iterator[tuple[str, Value]]:
    # Imported here: it costs a second that sources of local files need not pay.
    from datasets import DatasetDict, load_dataset

    try:
        loaded = load_dataset(name, split=split)
    except (OSError, ValueError) as error:
        raise DataError(
            f"path {name!r}: no such file or folder here, and the hub did not give a data set of "
            f"that name ({type(error).__name__}: {shown(str(error))}); check the name and the "
            "network, or download the data and give the folder"
        ) from error
    tables = loaded if isinstance(loaded, DatasetDict) else {split: loaded}
    for part, table in tables.items():
        for number, row in enumerate(table, start=1):
            yield f"{part}:{number}", Value(f"{name} split {part}, row {number}", "", row)
