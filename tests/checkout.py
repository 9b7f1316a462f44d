"""A copy of the repository's workflow, in which tests run the real Snakemake."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
#: What a checkout needs to run the workflow.
PARTS = ("Snakefile", "workflow", "profiles", "losses", "benchmarks", "config", "environment.yml")


@dataclass
class Checkout:
    """A copy of the repository's workflow, with results of its own.

    The engine is the installed one; methods and benchmarks are the copy's.
    """

    folder: Path

    def snakemake(self, *arguments: str, check: bool = True, timeout: int = 600) -> str:
        """Run Snakemake here; its whole output. check: it must exit 0; timeout: seconds."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, output
        return output

    def planned(self, *arguments: str) -> set[str]:
        """The names of the rules that a dry run would execute."""
        output = self.snakemake("-n", "-q", "rules", "--configfile", "config/test.yaml", *arguments)
        table = output.split("Job stats:")[1] if "Job stats:" in output else ""
        lines = table.split("total")[0].splitlines()[3:]
        return {line.split()[0] for line in lines if line.strip()}

    def environment(self) -> dict[str, str]:
        """The environment's own programs first, and one thread each."""
        programs = str(Path(sys.executable).parent)
        return os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
        }

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that must occur in a file."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))


def copied(folder: Path) -> Checkout:
    """A fresh copy of the workflow, without results."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = REPOSITORY / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, folder / part)
    return Checkout(folder)
