"""A trace names the file, the command and the environment that made it."""

import json
import time
from importlib import metadata
from pathlib import Path

import pytest

from plumbline import layout
from plumbline.provenance import (
    command,
    environment,
    environment_name,
    leave_trace,
    machine_words,
    trace_of,
    traces,
    versions_words,
)


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("results/x/rows.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"rows")
    return path


def test_a_trace_is_of_the_file_as_it_is(file):
    assert trace_of(file) is None
    leave_trace(file, time.perf_counter() - 5)
    trace = trace_of(file)
    assert trace["seconds"] == pytest.approx(5, abs=2)
    # sha256sum of the four bytes "rows".
    assert trace["file"].startswith("bc51e9e65d79e1c9")
    file.write_bytes(b"other")
    assert trace_of(file) is None


def test_an_environment_is_one_file_named_by_its_digest(file):
    leave_trace(file, time.perf_counter())
    path = layout.environment(environment_name())
    assert json.loads(path.read_text()) == environment()
    before = path.stat().st_mtime_ns
    leave_trace(file, time.perf_counter())
    assert path.stat().st_mtime_ns == before
    assert [item.name for item in path.parent.iterdir()] == [
        f"{trace_of(file)['environment']}.json"
    ]


def test_an_environment_has_the_versions_that_are_here():
    found = environment()["packages"]
    for name in ("torch", "lm-eval", "pyarrow", "plumbline"):
        assert found[name] == metadata.version(name)
    assert not {"pytest", "snakemake-executor-plugin-slurm"} & found.keys(), "extras make no number"


def test_files_without_a_trace_have_null_and_absent_ones_no_entry(file):
    other = file.with_name("items.parquet")
    other.write_bytes(b"items")
    leave_trace(file, time.perf_counter())
    found = traces([file, other, file.with_name("absent")])
    assert found["files"].keys() == {str(file), str(other)}
    assert found["files"][str(other)] is None
    assert found["environments"] == {environment_name(): environment()}


def test_a_command_holds_where_the_folder_is_moved_to(monkeypatch):
    words = ["score", "/home/me/run/results/e.json", "test", "/elsewhere/a b", "--threads", "1"]
    line = command(words, Path("/home/me/run"))
    assert line == "plumbline score results/e.json test '/elsewhere/a b' --threads 1"


def test_a_command_of_several_processes_has_their_launcher(monkeypatch):
    launcher = "accelerate launch --config_file /run/config/ddp.yaml --num_processes 2"
    monkeypatch.setenv("PLUMBLINE_LAUNCHER", launcher)
    assert command(["align"], Path("/run")) == "plumbline align"
    monkeypatch.setenv("WORLD_SIZE", "2")
    started = "accelerate launch --config_file config/ddp.yaml --num_processes 2 plumbline align"
    assert command(["align"], Path("/run")) == started


def test_versions_of_several_environments_stand_beside_each_other():
    one = {"packages": {"plumbline": "1", "torch": "2.13.0"}}
    other = {"packages": {"plumbline": "1", "torch": "2.12.0", "fschat": "3"}}
    assert versions_words([one, other]) == "plumbline 1, torch 2.12.0 and 2.13.0, fschat 3"
    assert versions_words([]) == ""


def test_a_machine_in_a_line():
    machine = {
        "system": "Linux",
        "machine": "x86_64",
        "processor": "",
        "cores": 2,
        "memory": 24,
        "accelerators": ["A100", "A100"],
    }
    assert machine_words(machine) == "Linux x86_64, 2 cores, 24 GiB, A100, A100"
