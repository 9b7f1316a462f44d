"""A folder of another user is named with its owner and what to type.

Root may write everywhere: a forked process becomes another user.
"""

import os
import tempfile
from itertools import takewhile
from pathlib import Path

import pytest

from plumbline import artifacts
from plumbline.errors import IntegrityError
from plumbline.locks import lock
from plumbline.ownership import check_may_write, nearest

NOBODY = 65534


def said_by_nobody(work) -> str:
    """What an IntegrityError of `work` says, run by another user; empty where none is raised."""
    if os.getuid():
        pytest.skip("only root can become another user")
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
        except IntegrityError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def roots_folder(tmp_path):
    """A folder which everybody may read and only root may write; pytest keeps its own to itself."""
    root = Path(tempfile.gettempdir())
    for above in [tmp_path, *takewhile(lambda folder: folder != root, tmp_path.parents)]:
        above.chmod(0o755)
    (tmp_path / "results").mkdir(mode=0o755)
    return tmp_path / "results"


@pytest.mark.parametrize(
    "work",
    [
        lambda folder: check_may_write([folder / "logs"]),
        lambda folder: artifacts.write_text(folder / "a", "text"),
        lambda folder: artifacts.write_text(folder / "deep" / "a", "text"),
        lambda folder: lock(folder / "run").__enter__(),
    ],
)
def test_another_users_folder_is_named_with_its_owner(roots_folder, work):
    said = said_by_nobody(lambda: work(roots_folder))
    assert f"{roots_folder} belongs to root" in said
    assert "may not write there" in said and f"chown -R nobody {roots_folder}`" in said
    assert not list(roots_folder.iterdir())


def test_ones_own_folder_is_no_news(tmp_path):
    check_may_write([tmp_path, tmp_path / "not" / "there" / "yet"])


def test_the_nearest_folder_that_is_there(tmp_path):
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(Path("nowhere")) == Path.cwd()
