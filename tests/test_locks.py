"""A folder has one writer, and whoever waits for it says for whom."""

import os
import signal
import subprocess
import sys
import time

import pytest

from plumbline import layout
from plumbline.locks import lock

HOLD = """
import sys, time
from pathlib import Path
from plumbline.locks import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holding(path, seconds: float) -> subprocess.Popen:
    command = [sys.executable, "-c", HOLD, str(path), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_second_process_waits_and_says_for_whom(tmp_path, capfd):
    path = tmp_path / "run"
    with holding(path, 0.5) as first:
        assert first.stdout.readline() == "held\n"
        with lock(path):
            assert first.wait(5) == 0, "the first one has ended"
    said = capfd.readouterr().out
    assert f"{path} is being written by process {first.pid} on " in said
    assert f"`kill {first.pid}`" in said and said.count("waiting") == 1


def test_a_killed_holder_leaves_nothing_to_clean_up(tmp_path):
    path = tmp_path / "run"
    with holding(path, 60) as first:
        assert first.stdout.readline() == "held\n"
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        started = time.monotonic()
        with lock(path):
            assert str(os.getpid()) in layout.lock(path).read_text(), "it says who holds it now"
        assert time.monotonic() - started < 5


def test_a_lock_is_released_on_the_way_out_of_an_error(tmp_path):
    with pytest.raises(RuntimeError), lock(tmp_path / "run"):
        raise RuntimeError
    with lock(tmp_path / "run"):
        pass
