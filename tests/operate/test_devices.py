"""GPU slots on a machine whose GPUs are names: jobs are real processes, holding real locks."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plumbline.cli.app import _torch
from plumbline.errors import ConfigError
from plumbline.operate import devices

MAIN = "from plumbline.cli.app import main; main()"
#: Says which cards it sees, and works until it is told to end.
WORK = 'echo "$CUDA_VISIBLE_DEVICES" > $0.cards; while [ ! -e $0.end ]; do sleep 0.05; done'


class Job:
    """`plumbline devices N -- ...`, running."""

    def __init__(self, place: Path, count: int, **environment: str):
        self.place = place
        command = [sys.executable, "-c", MAIN, "devices", str(count), "--", "sh", "-c", WORK, place]
        outer = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        given = outer | {"TMPDIR": str(place.parent), "CUDA_VISIBLE_DEVICES": "0,1"} | environment
        self.process = subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)

    @property
    def cards(self) -> str | None:
        """What the job sees; None while it waits."""
        path = Path(f"{self.place}.cards")
        return path.read_text().strip() or None if path.is_file() else None

    def end(self) -> str:
        Path(f"{self.place}.end").touch()
        said = self.process.communicate(timeout=20)[1]
        assert self.process.returncode == 0, said
        return said


Start = Callable[..., Job]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts jobs of one user on one machine of two cards; none outlives the test."""
    jobs: list[Job] = []

    def started(count: int, **environment: str) -> Job:
        jobs.append(Job(tmp_path / f"job{len(jobs)}", count, **environment))
        return jobs[-1]

    yield started
    for job in jobs:
        job.process.kill()
        job.process.communicate()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def at_work(jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job.cards is not None]


def test_two_jobs_never_share_a_card_and_a_third_waits(start):
    jobs = [start(1) for _ in range(3)]
    until(lambda: len(at_work(jobs)) == 2)
    time.sleep(4 * devices.PAUSE)
    working = at_work(jobs)
    assert sorted(job.cards for job in working) == ["0", "1"]
    [waiting] = [job for job in jobs if job not in working]
    freed = working[0].cards
    working[0].end()
    until(lambda: waiting.cards is not None)
    assert waiting.cards == freed
    assert waiting.end() == "waits for 1 of the GPUs 0, 1\n", "it says so, once"


def test_a_killed_job_frees_its_card(start):
    first = start(2)
    until(lambda: first.cards == "0,1")
    second = start(1)
    first.process.kill()
    until(lambda: second.cards is not None)
    assert second.cards == "0"


def test_jobs_that_want_both_cards_do_not_wait_for_each_other(start):
    """Each could hold one of two and wait for the other for ever."""
    jobs = [start(2) for _ in range(4)]
    for _ in range(4):
        until(lambda: any(job.process.poll() is None for job in at_work(jobs)))
        [working] = [job for job in at_work(jobs) if job.process.poll() is None]
        assert working.cards == "0,1"
        working.end()


def test_in_jobs_of_slurm_its_own_assignment_is_used(start):
    """Where it hides other jobs' cards, each job's first card is called 0."""
    jobs = [start(1, SLURM_JOB_ID=job, CUDA_VISIBLE_DEVICES="0") for job in ("7", "8")]
    until(lambda: [job.cards for job in jobs] == ["0", "0"])
    beside = start(1, SLURM_JOB_ID="9", CUDA_VISIBLE_DEVICES="3")
    until(lambda: beside.cards == "3")


def test_two_jobs_inside_one_job_of_slurm_share_no_card_either(start):
    jobs = [start(1, SLURM_JOB_ID="7", CUDA_VISIBLE_DEVICES="2,5") for _ in range(2)]
    until(lambda: sorted(job.cards or "" for job in jobs) == ["2", "5"])


# In this process: what takes no lock


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without GPUs, and no job of Slurm."""
    monkeypatch.setattr(devices.tempfile, "tempdir", str(tmp_path))
    for name in ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PLUMBLINE_GPUS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path))
    return monkeypatch


def test_for_no_gpu_nothing_happens(machine, tmp_path):
    before = dict(os.environ)
    devices.hold(0)
    assert os.environ == before and list(tmp_path.iterdir()) == []


def test_where_slurm_names_no_card_nothing_happens(machine, tmp_path):
    machine.setenv("SLURM_JOB_ID", "7")
    devices.hold(1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ and list(tmp_path.iterdir()) == []


def test_more_than_there_are_is_an_error(machine):
    with pytest.raises(ConfigError, match=r"gpus_per_run: 1 GPUs .* there is none here; .* most 0"):
        devices.hold(1)
    machine.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    with pytest.raises(ConfigError, match=r"gpus_per_run: 3 .* there are 2 \(4, 6\); .* most 2"):
        devices.hold(3)


def test_cards_are_counted_as_nvidia_smi_does(machine, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    program.chmod(0o700)
    assert devices.cards() == ["0", "1"] and os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    machine.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.cards() == [], "the caller may hide them all"


@contextmanager
def holding(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> Iterator[list[int]]:
    asked: list[int] = []

    def hold(count: int) -> None:
        asked.append(count)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)

    monkeypatch.setattr(devices, "hold", hold)
    yield asked


def test_a_job_alone_holds_what_it_asks_for_and_sees_one(machine):
    machine.setenv("PLUMBLINE_GPUS", "2")
    with holding(machine, ["4", "6"]) as asked:
        _torch(threads=1)
    assert asked == [2] and os.environ["CUDA_VISIBLE_DEVICES"] == "4"


def test_a_process_launched_with_others_has_them_from_its_launcher(machine):
    machine.setenv("PLUMBLINE_GPUS", "2")
    machine.setenv("WORLD_SIZE", "2")
    machine.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with holding(machine, []) as asked:
        _torch(threads=1)
    assert asked == [] and os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
