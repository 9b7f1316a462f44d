"""config/test.yaml in an empty folder, and benchmark rows as Snakemake writes them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from plumbline import config, layout
from plumbline.artifacts import write_json, write_text
from plumbline.config import Experiment
from plumbline.jobs import Job

#: As Snakemake 9.27 heads its files.
HEAD = "s h:m:s max_rss max_vms max_uss max_pss io_in io_out mean_load cpu_time".split()
#: When the recorded jobs ended, in seconds since 1970.
ENDED = 1_700_000_000


@pytest.fixture
def experiment(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Experiment]:
    """config/test.yaml with changes."""
    monkeypatch.chdir(tmp_path)
    raw = yaml.safe_load((repository / "config" / "test.yaml").read_text())

    def made(**changes: object) -> Experiment:
        return config.parse(raw | changes)

    return made


@pytest.fixture
def ran() -> Callable[..., None]:
    """Leaves the row of a job that ended well, and traces of the outputs that it made."""

    def leave(job: Job, seconds: float, cpu: float, made: int | None = None) -> None:
        row = [seconds, "0:00:10", 500, 0, 0, 0, 0, 0, 90, cpu]
        write_text(job.timing, "\t".join(HEAD) + "\n" + "\t".join(map(str, row)) + "\n")
        os.utime(job.timing, (ENDED, ENDED))
        for number, path in enumerate(job.outputs):
            before = 0 if made is None or number < made else 10_000
            when = datetime.fromtimestamp(ENDED - 1 - before, UTC)
            trace = {"file": "", "finished": when.isoformat(timespec="seconds")}
            write_json(layout.trace(path), trace)

    return leave
