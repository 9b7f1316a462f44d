"""Checkouts whose jobs go through a Slurm that `slurm_machine` has started."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import REPOSITORY, Checkout, copied

EXPERIMENT = "config/cluster.yaml"
TABLES = "results/experiments/cluster/tables"
#: What this small cluster needs other than the profile says: it has no slurmdbd and few resources.
MACHINE = [
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--local-cores", "1", "--default-resources"),
    *("slurm_partition=main", "mem_mb=2000", "cpus_per_task=1", "runtime=10"),
]


def slurm(*command: object) -> str:
    """What a command of Slurm's prints."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def until(condition: Callable[[], object], seconds: float = 120) -> object:
    """Wait for a condition, and return what it found."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain; {slurm('squeue')}"
        time.sleep(0.2)
    return found


@dataclass
class Cluster(Checkout):
    """A checkout whose jobs go through Slurm by `profiles/slurm` as it is."""

    def start(self, *arguments: str) -> subprocess.Popen:
        """The command of the profile, running; targets first. What it says goes to `said`."""
        command = [sys.executable, "-m", "snakemake"]
        profile = ["--workflow-profile", "profiles/slurm", "--configfile", EXPERIMENT]
        with open(self.folder / "said", "a") as said:
            return subprocess.Popen(
                [*command, *arguments, *profile, *MACHINE],
                cwd=self.folder,
                env=self.environment(),
                stdout=said,
                stderr=said,
            )

    def finish(self, process: subprocess.Popen) -> str:
        """Wait for a command to end well; all that was said here."""
        process.wait(timeout=400)
        said = (self.folder / "said").read_text()
        assert process.returncode == 0, said
        return said

    def locally(self, *targets: str) -> None:
        """Run here, without Slurm, on two GPUs that are mere names."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
            options = ["--cores", "2", "--resources", "gpu=2", "--configfile", EXPERIMENT]
            self.snakemake(*targets, *options)

    @property
    def align(self) -> str:
        """The rule that trains the model which drills disturb."""
        return f"align_{self.model.parts[-5]}_dpo_1"

    @property
    def model(self) -> Path:
        """Where that model lies, relative to the checkout."""
        [setting] = (self.folder / "results").glob("small-*")
        return Path("results", setting.name, "runs/dpo/beta=0.3/seed=0")

    def without_a_model(self, folder: Path) -> "Cluster":
        """A copy that lacks one model and everything that was made of it."""
        shutil.copytree(self.folder, folder)
        shutil.rmtree(folder / self.model)
        shutil.rmtree(folder / "results/experiments")
        (folder / "said").unlink(missing_ok=True)
        return Cluster(folder)

    def train(self, *arguments: str) -> subprocess.Popen:
        """Train that model through Slurm; returns once it has left a checkpoint."""
        process = self.start(str(self.model / "run.json"), *arguments)
        work = self.folder / self.model / "work"
        until(lambda: any(work.glob("checkpoint-*")) or process.poll() is not None)
        assert process.poll() is None, (self.folder / "said").read_text()
        return process

    def tables(self) -> dict[str, bytes]:
        """Every table, by its name."""
        folder = self.folder / TABLES
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def fresh(folder: Path) -> Cluster:
    """A checkout in which nothing has run."""
    checkout = Cluster(copied(folder).folder)
    shutil.copy(REPOSITORY / "tests/cluster/experiment.yaml", folder / EXPERIMENT)
    return checkout
