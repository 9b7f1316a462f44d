"""A zip of files with their digests: written to the same bytes each time, read without trust."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo
from zlib import error as NotDeflated

from plumbline.artifacts import file_digest, write_atomically
from plumbline.errors import IntegrityError

#: Where an RO-Crate says what its files are.
METADATA = "ro-crate-metadata.json"
#: A file's time in a zip: the earliest that the format has.
TIME = (1980, 1, 1, 0, 0, 0)
#: One part of a path inside: it cannot lead out of a folder, nor hide in it.
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]*")
#: The experiments, as they were read, overrides included: a folder with a file for each.
EXPERIMENTS = "experiments"
#: The ledger's judgments of the items, lines of JSON.
JUDGMENTS = "judgments.jsonl"
MOST_FILES = 100_000
#: Unpacked, in all.
MOST_BYTES = 8 * 2**30


def pack(out: Path, files: Mapping[str, Path], metadata: str) -> None:
    """Write files under their names inside, and the metadata, atomically: the same files give the
    same bytes."""
    write_atomically(out, lambda temporary: _write(temporary, files, metadata))


def _write(path: Path, files: Mapping[str, Path], metadata: str) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr(_entry(METADATA), metadata)
        for name in sorted(files):
            archive.writestr(_entry(name), files[name].read_bytes())


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, TIME)
    entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
    return entry


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The archive's files in a folder that lasts as long as the context.

    Raises IntegrityError, which names the file, where the archive is torn or too large, a name
    could leave the folder, or a file is not what the metadata say.
    """
    with TemporaryDirectory(prefix="plumbline-") as temporary:
        folder = Path(temporary).resolve()
        try:
            with ZipFile(path) as archive:
                _extract(archive, path, folder)
        except FileNotFoundError as error:
            raise IntegrityError(f"no archive {path}; `plumbline export` writes one") from error
        # RuntimeError: what zipfile says of a zip that is encrypted, or packed in a way it lacks.
        except (BadZipFile, NotDeflated, EOFError, RuntimeError) as error:
            raise IntegrityError(f"{path} is not a whole zip ({error}); export it again") from error
        check(path, folder)
        yield folder


def _extract(archive: ZipFile, path: Path, folder: Path) -> None:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(names) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise IntegrityError(
            f"{path} is larger than {MOST_FILES:,} files or {MOST_BYTES:,} bytes; unpack it by hand"
        )
    for name, times in Counter(names).items():
        if not all(map(PART.fullmatch, name.split("/"))) or times > 1:
            raise IntegrityError(f"{path}: {name!r} is no name of a file here; export it again")
    for entry in entries:
        target = folder / entry.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, open(target, "xb") as sink:
            shutil.copyfileobj(source, sink)


def check(path: Path, folder: Path) -> None:
    """Hold the unpacked files of the archive `path` against its metadata.

    Raises IntegrityError for a file that is missing, unknown, or another than was exported.
    """
    listed = digests(path, folder)
    there = {str(item.relative_to(folder)) for item in folder.rglob("*") if item.is_file()}
    for name in sorted((there - {METADATA}) ^ listed.keys()):
        state = "is not in its metadata" if name in there else "is missing"
        raise IntegrityError(f"{path}: {name} {state}; export it again")
    for name, digest in listed.items():
        if file_digest(folder / name) != digest:
            raise IntegrityError(
                f"{path}: {name} is not the file that was exported: its sha256 differs from the "
                "metadata's; export it again"
            )


def digests(path: Path, folder: Path) -> dict[str, str]:
    """The sha256 of each file, by its name, as the metadata have them."""
    try:
        graph = json.loads((folder / METADATA).read_text(encoding="utf-8"))["@graph"]
        files = [item for item in graph if "File" in types(item)]
        return {unquote(item["@id"]): item["sha256"] for item in files}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path}: {METADATA} describes no files ({error!r})") from error


def types(entity: Mapping[str, Any]) -> list[str]:
    """The types of an entity of the metadata, which may be one or several."""
    found = entity["@type"]
    return found if isinstance(found, list) else [found]
