"""Files that are either complete or absent: atomic writes, and digests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from errno import ENOSPC
from functools import partial
from pathlib import Path
from shlex import quote
from socket import gethostname
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plumbline import layout
from plumbline.errors import DataError, IntegrityError
from plumbline.ownership import may_write

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

    A reader, or a run killed at any moment, sees the old file or the whole new one. Raises
    IntegrityError where the disk is full.
    """
    with may_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with room_for(path), may_write(path):
            write(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` once the context ends well.

    Raises IntegrityError where the disk is full; nothing is left of it then.
    """
    temporary = _temporary(folder)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with room_for(folder):
            yield temporary
            flush(temporary)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path) -> Path:
    """A name that no other process has, on no other machine that shares the disk."""
    return path.with_name(f".{path.name}.{gethostname()}.{os.getpid()}.tmp")


#: Fewer free bytes than this, after a write that failed, are a full disk.
FULL = 2**20


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """A full disk is one error, with what to do about it: IntegrityError.

    Libraries that write say "no space" each in their own way: the disk itself is asked.
    """
    try:
        yield
    except Exception as error:
        free = shutil.disk_usage(path if path.is_dir() else path.parent).free
        if free > FULL and getattr(error, "errno", None) != ENOSPC:
            raise
        raise IntegrityError(
            f"the disk is full ({free} bytes are free): {path} was not written; make room "
            "(execution.keep_models: selected keeps fewer models) and run again"
        ) from error


def flush(folder: Path) -> None:
    """Have the system put a folder's files on the disk: what is marked later can be trusted."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
        raise IntegrityError(f"{path} is not whole JSON ({error}); {again(path)}") from error


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


def write_vectors(
    path: Path, vectors: Mapping[str, np.ndarray], fingerprint: Mapping[str, Any]
) -> None:
    """Write vectors of one length by id as parquet, atomically; float32, never as Python numbers,
    of which there may be too many. fingerprint: see `write_rows`."""
    rows = np.stack([*vectors.values()]).astype(np.float32)
    values = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    table = pa.table({"id": [*vectors], "vector": values})
    table = table.replace_schema_metadata({FINGERPRINT: canonical_json(fingerprint)})
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """Vectors by id, as `write_vectors` wrote them; IntegrityError where the file is torn."""
    table = _whole(pq.read_table, path)
    rows = table["vector"].combine_chunks().flatten().to_numpy().copy()  # Arrow's is read-only
    return dict(zip(table["id"].to_pylist(), rows.reshape(len(table), -1), strict=True))


def read_rows(path: Path | str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    """Read parquet, or some of its columns, as a list of dicts; IntegrityError where it is torn."""
    return _whole(partial(pq.read_table, columns=columns), path).to_pylist()


def _whole(read: Callable[[Path | str], Any], path: Path | str) -> Any:
    try:
        return read(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(
            f"{path} is not a whole parquet file ({error}); {again(Path(path))}"
        ) from error


def again(path: Path) -> str:
    """What to type where a file is torn: the output that Snakemake knows it by is made again."""
    output = layout.declared(path)
    # A second name, kept for a killed job, is the same torn file.
    names = [output, *(item for item in [layout.kept(output)] if item.exists())]
    removed = " ".join(quote(str(name)) for name in names)
    return f"to have it made again, type `rm {removed}` and run again"


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
