"""A judge in the foreground: its first lines are what another shell needs, Ctrl-C ends it."""

import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from plumbline.cli.app import app
from plumbline.cli.judge import read_judgments
from plumbline.contracts import Judge
from plumbline.errors import ConfigError, DataError
from plumbline.judge.client import ask_all

MAIN = "from plumbline.cli.app import main; main()"
PROMPT = (
    "[Question]\nWhere is it?\n\n[The Start of Assistant's Answer]\nIt is where it was.\n"
    "[The End of Assistant's Answer]"
)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """The process, and its first three lines."""
    monkeypatch.setenv("PLUMBLINE_LEDGER", str(tmp_path / "ledger.sqlite"))
    command = [sys.executable, "-c", MAIN, "judge", "serve", "--name", "surface-judge"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    deaf = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a shell
    process = subprocess.Popen(command, **pipes)
    signal.signal(signal.SIGINT, deaf)
    with process:
        yield process, [process.stdout.readline().rstrip("\n") for _ in range(3)]
        process.kill()


def test_it_says_who_and_where_answers_and_ends_with_ctrl_c(served):
    process, (who, url, key) = served
    assert who == "# surface-judge version 1 (plumbing, not a measurement) answers until Ctrl-C"
    where = url.removeprefix("export OPENAI_BASE_URL=")
    token = key.removeprefix("export OPENAI_API_KEY=")
    judge = Judge(where, token, "surface-judge", "1")
    [reply] = ask_all(judge, [{"messages": [{"role": "user", "content": PROMPT}]}])
    assert "Rating: [[" in reply.text
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_an_unknown_judge_is_a_config_error():
    done = CliRunner().invoke(app, ["judge", "serve", "--name", "gpt-4"])
    assert isinstance(done.exception, ConfigError) and "toyland-gold" in str(done.exception)


def test_a_row_that_is_torn_is_told_by_its_line(tmp_path):
    path = tmp_path / "export.jsonl"
    path.write_text('{"key": "1"\n')
    with pytest.raises(DataError, match=r"export.jsonl, line 1: not JSON"):
        list(read_judgments(path))
    with pytest.raises(DataError, match="give an export"):
        list(read_judgments(tmp_path / "absent.jsonl"))


def test_its_help_lists_what_it_can_do(command):
    assert "serve" in command("judge", "--help")
    assert "surface-judge" in command("judge", "serve", "--help")
