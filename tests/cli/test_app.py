"""The command line itself: help, exit codes, and no more imports than a command needs."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from plumbline import errors
from plumbline.cli.app import app

STAGES = (
    "data pretrain sft reference embed auxiliary reward annotate align generate score select "
    "aggregate report"
).split()
COMMANDS = {item.name or item.callback.__name__: item for item in app.registered_commands}
NAMES = list(COMMANDS)
MAIN = "from plumbline.cli.app import main; main()"


def plumbline(*words: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", MAIN, *map(str, words)]
    given = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, env=given, check=False)


def test_there_is_one_command_a_stage_in_the_pipelines_order():
    assert [name for name in NAMES if name in STAGES] == STAGES


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_a_command_does(command, name):
    text = " ".join(command(name, "--help").split())
    assert COMMANDS[name].callback.__doc__.split(".")[0] in text
    assert "experiment file" in text or name not in STAGES


def test_no_command_is_help(command):
    text = command("--help")
    assert all(name in text for name in NAMES)


def test_a_config_error_is_one_message_and_exit_code_2(broken, tmp_path):
    log = tmp_path / "logs" / "beta=0.1.log"
    log.parent.mkdir()
    done = plumbline("select", broken, "small", "dpo", PLUMBLINE_LOG=str(log))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("ConfigError: ") and done.stderr.count("ConfigError") == 1
    assert "did you mean 'dpo'?" in done.stderr and "Traceback" not in done.stderr
    [note] = (tmp_path / "logs").iterdir()
    assert note.name == "beta=0.1.error.json"
    said = json.loads(note.read_text())
    assert (said["error"], said["exit_code"]) == ("ConfigError", 2)
    assert said["message"] in done.stderr
    assert said["command"][1:] == ["select", str(broken), "small", "dpo"]
    assert "Traceback" in said["traceback"][0]


def test_without_a_log_no_note_is_left(broken, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert plumbline("aggregate", broken, PLUMBLINE_LOG="").returncode == 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ConfigError", 2),
        ("DataError", 3),
        ("MethodError", 4),
        ("IntegrityError", 5),
        ("JudgeError", 6),
    ],
)
def test_every_error_has_its_exit_code(error, code, monkeypatch, capsys):
    from plumbline.cli import app as module

    def fail():
        raise getattr(errors, error)("a sentence")

    monkeypatch.setattr(module, "app", fail)
    monkeypatch.delenv("PLUMBLINE_LOG", raising=False)
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == code
    assert capsys.readouterr().err == f"{error}: a sentence\n"


def test_any_other_error_keeps_its_traceback(monkeypatch):
    """A bug is not dressed up as a mistake of the user's."""
    from plumbline.cli import app as module

    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(module, "app", fail)
    with pytest.raises(ZeroDivisionError):
        module.main()


def test_a_missing_file_is_a_config_error(tmp_path):
    done = plumbline("data", tmp_path / "absent.yaml", "small")
    assert done.returncode == 2 and "no experiment file" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("reference", "tiny.yaml", "small", "pair"),
        ("generate", "tiny.yaml", "tests", "run.json"),
        ("score", "tiny.yaml", "train", "run.json"),
    ],
)
def test_a_misspelt_choice_is_not_silently_another(words):
    """An unknown feedback would be read as lists; an unknown split has nothing to do."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and "is not one of" in " ".join(done.output.split())


LIGHT = """
import sys
from plumbline.cli.app import main
for name in {names}:
    sys.argv = ["plumbline", name, "--help"]
    try:
        main()
    except SystemExit:
        pass
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
HEAVY = ["torch", "transformers", "pandas", "matplotlib", "alpaca_eval", "lm_eval", "fastchat"]
HEAVY += ["trl", "starlette", "uvicorn"]


def test_no_help_imports_anything_heavy():
    code = LIGHT.format(names=NAMES, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


WHOLE = """
import atexit, sys
from plumbline.cli.app import main
atexit.register(lambda: print(*({heavy} & sys.modules.keys()), file=sys.stderr))
main()
"""


@pytest.mark.parametrize(
    "line",
    [
        "methods",
        "methods --json",
        "judge --help",
        "judge serve --help",
        "aggregate --help",
        "report --help",
    ],
)
def test_what_asks_no_model_starts_without_one(line):
    command = [sys.executable, "-c", WHOLE.format(heavy=set(HEAVY)), *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout and done.stderr == "\n"


@pytest.mark.parametrize("module", ["cli.data", "cli.aggregate", "cli.report", "select"])
def test_stages_without_a_model_never_import_torch(module):
    code = f"import sys, plumbline.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
