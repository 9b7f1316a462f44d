"""Fixtures shared by all tests."""

import os
import tempfile
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data: $PLUMBLINE_TEST_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("PLUMBLINE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test data absent: no folder {folder} (set PLUMBLINE_TEST_DATA)")
    return folder


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """tmp_path, which other users may read too: pytest keeps its folders to itself."""
    root = Path(tempfile.gettempdir())
    for folder in [tmp_path, *takewhile(lambda above: above != root, tmp_path.parents)]:
        if folder.stat().st_uid == os.getuid():
            folder.chmod(0o755)
    return tmp_path
