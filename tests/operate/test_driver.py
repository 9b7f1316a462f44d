"""Which Snakemake works in a folder, and whether one has left its locks."""

import subprocess
import sys

import pytest

from plumbline.operate.driver import LOCKS, drives, of_folder


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/venv/bin/python /venv/bin/snakemake --cores 2", True),
        ("python -m snakemake --cores 2", True),
        ("python -m snakemake --snakefile S --cores 1 --mode remote", False),
        ("snakemake -n --configfile two.yaml", False),
        ("vim notes.txt about snakemake", False),
    ],
)
def test_a_snakemake_that_runs_a_workflow(command, expected):
    assert drives(command.split()) is expected


def test_a_lock_without_a_process_is_abandoned(tmp_path):
    assert not of_folder(tmp_path).locked
    (tmp_path / LOCKS).mkdir(parents=True)
    (tmp_path / LOCKS / "0.input.lock").touch()
    assert of_folder(tmp_path).abandoned


def test_a_live_one_is_found_in_its_own_folder_only(tmp_path):
    script = tmp_path / "snakemake"
    script.write_text("import time; print(flush=True); time.sleep(60)")
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found, elsewhere = of_folder(tmp_path), of_folder(tmp_path.parent)
        process.kill()
    assert found.pids == (process.pid,) and process.pid not in elsewhere.pids
