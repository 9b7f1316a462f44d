"""Folders of another user: said at once and in words, before anything runs."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from plumbline.errors import IntegrityError


def check_may_write(folders: Iterable[Path]) -> None:
    """Raise IntegrityError for the first folder in which this user may not write; for one that is
    not there yet, the nearest folder above counts."""
    for folder in folders:
        there = nearest(folder)
        if not os.access(there, os.W_OK | os.X_OK):
            raise IntegrityError(refusal(there))


@contextmanager
def may_write(path: Path) -> Iterator[None]:
    """Where the system forbids a write: IntegrityError with whose folder it is."""
    try:
        yield
    except PermissionError as error:
        raise IntegrityError(refusal(nearest(path.parent))) from error


def nearest(folder: Path) -> Path:
    """The folder itself, or the first one above it that is there."""
    above = [folder, *folder.absolute().parents]
    return next(item for item in above if item.is_dir())


def refusal(folder: Path) -> str:
    """What to say of a folder in which this user may not write."""
    owner, me = _name(folder.stat().st_uid), _name(os.getuid())
    place = quote(str(folder.absolute()))
    return (
        f"{place} belongs to {owner}, and {me} may not write there; run as {owner}, or have it "
        f"given to you with `sudo chown -R {me} {place}`, or run from a checkout of your own"
    )


def _name(uid: int) -> str:
    """A user's name, or the number of one who has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
