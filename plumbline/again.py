"""Work that a killed job had finished is not done again.

Snakemake removes every output of a job that failed or was killed, those too that were whole. A job
therefore keeps a second name of each finished output until all of them are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from plumbline import layout


@contextmanager
def making(outputs: Sequence[Path]) -> Iterator[None]:
    """A job that makes `outputs`: finished ones that Snakemake has removed are there again, and
    second names are forgotten once the job ends well.

    Whether what came back is still current is for the maker of each output to see, as ever.
    """
    for path in outputs:
        restore(path)
        remember(path)
    yield
    for path in outputs:
        layout.kept(path).unlink(missing_ok=True)


def remember(path: Path) -> None:
    """Give a finished output its second name, if it is there: a hard link, which costs no disk."""
    if path.is_file() and not _is_kept(path):
        beside = layout.kept(path)
        beside.unlink(missing_ok=True)
        os.link(path, beside)


def restore(path: Path) -> None:
    """Give an output that was removed its name back, if it had been finished."""
    if not path.exists() and layout.kept(path).is_file():
        os.link(layout.kept(path), path)
        print(f"{path}: finished by a job that was killed later; it is looked at again", flush=True)


def _is_kept(path: Path) -> bool:
    beside = layout.kept(path)
    return beside.is_file() and beside.samefile(path)
