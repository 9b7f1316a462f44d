"""The command itself: exit codes, JSON, and the end of --watch."""

import json
from pathlib import Path

import pytest
from pretended import leave_all
from typer.testing import CliRunner

from plumbline import config
from plumbline.cli import status as command
from plumbline.cli.app import app


def invoke(*words: str):
    return CliRunner().invoke(app, ["status", "tiny.yaml", *words], catch_exceptions=False)


@pytest.fixture
def here(tmp_path, monkeypatch, place) -> Path:
    """An empty folder with the experiment's file in it."""
    (tmp_path / "tiny.yaml").write_text((place / "tiny.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_unfinished_has_its_code_and_json_has_every_job_and_cell(here):
    done = invoke("--json")
    said = json.loads(done.stdout)
    assert done.exit_code == command.CODES["unfinished"] == 10
    assert sum(said["counts"].values()) == len(said["jobs"])
    assert [line["method"] for line in said["lines"]] == ["sft", "dpo"]
    assert {cell["state"] for line in said["lines"] for cell in line["cells"]} == {"missing"}
    assert said["commands"]["unlock"] == "snakemake --unlock --configfile tiny.yaml"


def test_a_failed_job_has_its_code(here):
    log = Path("results/logs/data/x.log")
    chosen = config.read(Path("tiny.yaml"))
    [folders] = chosen.setting_folders().values()
    log = log.with_name(f"{folders.name}.log")
    log.parent.mkdir(parents=True)
    log.write_text("no room\n")
    done = invoke()
    assert done.exit_code == command.CODES["failed"] == 11 and "no room" in done.stdout


def test_watching_ends_where_nothing_runs(here):
    leave_all(config.read(Path("tiny.yaml")))
    done = invoke("--watch")
    assert done.exit_code == 0 and "All is done" in done.stdout


def test_ctrl_c_ends_watching_cleanly(here, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "is_at_work", lambda _: True)
    monkeypatch.setattr(command.time, "sleep", stop)
    assert invoke("--watch").exit_code == command.CODES["unfinished"]
