"""A Slurm that is up, and the same run without it and through it."""

import shutil
from pathlib import Path

import pytest
from clustered import Cluster, fresh, slurm


@pytest.fixture(scope="session", autouse=True)
def up() -> None:
    """The cluster that `make test-cluster` starts; without it nothing here can run."""
    found = shutil.which("sinfo") and slurm("sinfo", "-h", "-o", "%T")
    assert found, "no Slurm is up: `make test-cluster` starts one"


@pytest.fixture(scope="session")
def runs(up: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, Cluster, str]:
    """From nothing to the page, on this machine with two GPUs that are mere names, and through
    Slurm; and what Snakemake said there."""
    folder = tmp_path_factory.mktemp("runs")
    here, there = fresh(folder / "here"), fresh(folder / "there")
    process = there.start()
    here.locally()
    return here, there, there.finish(process)


@pytest.fixture(scope="session")
def undisturbed(runs: tuple[Cluster, Cluster, str]) -> Cluster:
    """The run without Slurm."""
    return runs[0]


@pytest.fixture
def cluster(undisturbed: Cluster, tmp_path: Path) -> Cluster:
    """A run that lacks one model, and what was made of it."""
    return undisturbed.without_a_model(tmp_path / "checkout")
