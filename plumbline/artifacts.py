"""Files that are either complete or absent: atomic writes, digests, and a lock per folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from plumbline.errors import DataError, IntegrityError

#: Key of a parquet file's metadata under which its fingerprint stands.
FINGERPRINT = b"plumbline"


def canonical_json(value: Any) -> str:
    """JSON that is equal for equal values: sorted keys, no spaces, shortest float notation."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """sha256 of a JSON value's canonical form, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """sha256 over the names and bytes of a folder's files, whatever order the disk has them in.

    Compiled Python is left out; an absent folder has the digest of an empty one.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return digest([[str(path.relative_to(folder)), file_digest(path)] for path in files])


def derive_seed(purpose: str, *parts: Any) -> int:
    """A 32-bit seed for one purpose: sha256 of (purpose, parts), never seed + 1."""
    return int(digest([purpose, *parts])[:8], 16)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file in the final folder, then fsync and rename it.

    A reader, or a run killed at any moment, sees the old file or the whole new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; IntegrityError where it is torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or cut inside a letter
        raise IntegrityError(f"{path} is not whole JSON ({error}); delete it and rerun") from error


def write_rows(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    schema: pa.Schema,
    fingerprint: Mapping[str, Any] | None = None,
) -> None:
    """Write rows as parquet, atomically. A column that a row lacks is null; a column that the
    schema lacks is a DataError. fingerprint: what the rows were made from, kept in the file."""
    rows = [dict(row) for row in rows]
    unknown = {name for row in rows for name in row} - set(schema.names)
    if unknown:
        raise DataError(f"{path}: unknown columns {sorted(unknown)}; known: {schema.names}")
    if fingerprint is not None:
        schema = schema.with_metadata({FINGERPRINT: canonical_json(fingerprint)})
    table = pa.Table.from_pylist(rows, schema=schema)
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def read_rows(path: Path | str) -> list[dict[str, Any]]:
    """Read parquet as a list of dicts; IntegrityError where it is torn."""
    return _whole(pq.read_table, path).to_pylist()


def _whole(read: Callable[[Path | str], Any], path: Path | str) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(
            f"{path} is not a whole parquet file ({error}); delete it and run again"
        ) from error


def merge_rows(paths: Iterable[Path], target: Path, schema: pa.Schema, **labels: str) -> None:
    """Write the rows of parquet files of one schema as one file, atomically.

    labels: columns whose value is the same for all rows, whatever the files say.
    """
    tables = [_whole(partial(pq.read_table, schema=schema), path) for path in paths]
    table = pa.concat_tables([schema.empty_table(), *tables]).replace_schema_metadata(None)
    for name, value in labels.items():
        column = pa.repeat(pa.scalar(value, schema.field(name).type), len(table))
        table = table.set_column(schema.get_field_index(name), name, column)
    write_atomically(target, lambda temporary: pq.write_table(table, temporary))


def is_current(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Whether `path` exists and was made from exactly `fingerprint`; IntegrityError where torn."""
    if not path.is_file():
        return False
    metadata = _whole(pq.read_schema, path).metadata or {}
    return metadata.get(FINGERPRINT, b"").decode() == canonical_json(fingerprint)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; IntegrityError where another process holds it.

    The lock dies with its process, so a crash leaves nothing to clean up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise IntegrityError(
                f"{folder} is being written by another process; wait for it or stop it, "
                "then run again"
            ) from error
        yield
