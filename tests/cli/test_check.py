"""`plumbline check`: one file, sentences, and an exit code; what each check finds: tests/check."""

import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from plumbline.cli.app import app
from plumbline.plugins import METHODS

#: A broken file, and what its author must read.
BROKEN = {
    "wrong_sign": "Is a sign turned?",
    "reduced": "return the losses unreduced, shape [8]",
    "ignored_mask": "take tokens by token_mask before you add or average them",
    "nan_at_extremes": "at log-ratios of +-1e4 the loss is nan",
    "no_default": "hyperparameter 'beta' has no default",
    "undeclared_need": "it reads 'reference' without declaring it",
    "undeclared_coupling": "write coupled=True",
}


@pytest.fixture
def check():
    """The exit code of one check, and its lines."""

    def run(path):
        done = CliRunner().invoke(app, ["check", str(path)])
        return done.exit_code, done.stdout.splitlines()

    return run


def test_a_file_that_holds_the_contract(check):
    path = METHODS / "dpo.py"
    assert check(path) == (0, [f"{path} holds the contract of a method"])


def test_exemptions_are_told(check):
    code, lines = check(METHODS / "bco.py")
    assert code == 0 and lines[0].startswith("exempt from gradcheck: delta is a constant")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_what_is_wrong(check, repository, name):
    path = repository / "tests" / "check" / "broken" / f"{name}.py"
    code, lines = check(path)
    assert code == 1 and all(line.startswith(f"{path}: ") for line in lines)
    assert any(BROKEN[name] in line for line in lines), lines


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def torn(:", "line 1: invalid syntax"),
        ("import math", "0 functions are marked @method; must be one"),
        ("import nowhere_to_be_found\n", "it cannot be imported: line 1, ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_none_is_told_why(check, tmp_path, source, sentence):
    path = tmp_path / "dpo.py"
    whole = (METHODS / "dpo.py").read_text() if "nowhere" in source else ""
    path.write_text(source + whole)
    code, [line] = check(path)
    assert code == 1 and line.startswith(f"{path}: {sentence}")


def test_no_such_file():
    done = CliRunner().invoke(app, ["check", "absent.py"])
    assert done.exit_code == 2 and "does not exist" in " ".join(done.output.split())


def test_a_check_takes_less_than_fifteen_seconds():
    """From the shell, torch's import included."""
    code = "from plumbline.cli.app import main; main()"
    command = [sys.executable, "-c", code, "check", str(METHODS / "pro_s.py")]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    assert time.monotonic() - start < 15
