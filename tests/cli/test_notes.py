"""Notes of a job beside its log: there while it runs, gone once it has ended, left by kill -9."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from plumbline.cli import notes


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    """The log of a job that is this process."""
    path = tmp_path / "beta=0.1.log"
    monkeypatch.setenv("PLUMBLINE_LOG", str(path))
    monkeypatch.delenv("RANK", raising=False)
    return path


def names(log: Path) -> set[str]:
    return {path.name for path in log.parent.iterdir()}


def test_a_running_job_says_which_process_it_is_and_takes_it_back(log, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    with notes.of_job():
        said = json.loads((log.parent / "beta=0.1.running.json").read_text())
    assert said["pid"] == os.getpid() and said["slurm_job"] == "4711"
    assert said["started"] == psutil.Process().create_time()
    assert names(log) == set()


def test_any_exception_leaves_a_note_and_a_new_start_removes_it(log):
    with pytest.raises(ZeroDivisionError), notes.of_job():
        raise ZeroDivisionError("a sentence")
    said = json.loads((log.parent / "beta=0.1.error.json").read_text())
    assert (said["error"], said["message"], said["exit_code"]) == (
        "ZeroDivisionError",
        "a sentence",
        1,
    )
    assert names(log) == {"beta=0.1.error.json"}
    with notes.of_job():
        assert names(log) == {"beta=0.1.running.json"}


def test_the_note_of_a_second_start_is_not_taken_back(log):
    path = log.parent / "beta=0.1.running.json"
    with notes.of_job():
        path.write_text('{"pid": 1}')
    assert path.read_text() == '{"pid": 1}'


def test_other_ranks_keep_no_note(log, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with notes.of_job():
        assert names(log) == set()


def test_kill_9_leaves_the_note(log):
    code = (
        "import time; from plumbline.cli import notes\n"
        "with notes.of_job(): print(flush=True), time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    said = json.loads((log.parent / "beta=0.1.running.json").read_text())
    assert said["pid"] == process.pid
