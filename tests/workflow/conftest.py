"""One small pipeline through the real Snakemake, which the workflow tests copy and edit."""

import shutil
from pathlib import Path

import pytest
from checkout import Checkout, copied


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """config/test.yaml, run from nothing to the page."""
    checkout = copied(tmp_path_factory.mktemp("pipeline") / "checkout")
    checkout.snakemake("--configfile", "config/test.yaml")
    return checkout


@pytest.fixture
def checkout(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run, free to be edited."""
    shutil.copytree(finished.folder, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A copy of the workflow in which nothing has run."""
    return copied(tmp_path / "checkout")
