"""`plumbline loss`: JSON in, JSON out, and mistakes told by their key; the rows: tests/outside."""

import json
import math

import pytest
from typer.testing import CliRunner

from plumbline.cli.app import app

ROW = {
    "policy_chosen": -10.0,
    "policy_rejected": -12.0,
    "reference_chosen": -11.0,
    "reference_rejected": -11.5,
    "chosen_tokens": 4,
    "rejected_tokens": 5,
}


@pytest.fixture
def batch(tmp_path):
    path = tmp_path / "batch.json"
    path.write_text(json.dumps([ROW]))
    return path


def test_losses_and_gradients_are_printed(command, batch):
    """Log-ratios 1 and -0.5 at beta 0.3: log(1 + e^-.45), gradient -+ 0.3 / (1 + e^.45)."""
    found = json.loads(command("loss", "dpo", "--batch", batch, "--set", "beta=0.3", "--float64"))
    slope = 0.3 / (1 + math.exp(0.45))
    assert found["losses"] == pytest.approx([math.log1p(math.exp(-0.45))], abs=1e-15)
    assert list(found["gradients"]) == ["policy_chosen", "policy_rejected"]
    assert found["gradients"]["policy_chosen"] == pytest.approx([-slope], abs=1e-15)
    assert found["gradients"]["policy_rejected"] == pytest.approx([slope], abs=1e-15)


def test_defaults_and_float32_where_nothing_is_said(command, batch):
    found = json.loads(command("loss", "dpo", "--batch", batch))["losses"][0]
    expected = math.log1p(math.exp(-0.15))
    assert found == pytest.approx(expected, abs=1e-6) and found != pytest.approx(expected, abs=1e-9)


def test_hyperparameters_may_follow_one_set(command, batch, tmp_path):
    batch.write_text(json.dumps([{"policy": -1.0, "reference": -2.0, "desirable": True}]))
    more = ["--set", "beta=0.3", "alpha=3"]
    twice = ["--set", "beta=0.3", "--set", "alpha=3"]
    options = ["loss", "pro_b", "--batch", batch]
    assert command(*options, *more) == command(*options, *twice) != command(*options)


def test_a_folder_of_ones_own(command, batch, tmp_path):
    source = "from plumbline import Pairs, method\n\n\n@method(title='Own', paper='none')\n"
    source += "def own(batch: Pairs):\n    return batch.chosen.policy * 2\n"
    (tmp_path / "own.py").write_text(source)
    found = json.loads(command("loss", "own", "--batch", batch, "--path", tmp_path))
    assert found == {
        "losses": [-20.0],
        "gradients": {"policy_chosen": [2.0], "policy_rejected": [0]},
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["dpoo"], 2, "unknown method 'dpoo': did you mean 'dpo'?"),
        (["dpo", "--set", "betta=1"], 2, "dpo has no hyperparameter 'betta'; did you mean 'beta'?"),
        (["dpo", "--set", "beta=0"], 2, "dpo: beta must be > 0, got 0.0"),
        (["dpo", "--set", "beta=nan"], 2, "dpo: beta must be > 0, got nan"),
        (["dpo", "--set", "beta=x"], 2, "dpo: beta must be a number, got 'x'"),
        (["dpo", "--set", "beta"], 2, "dpo: beta must be a number, got ''"),
        (["kto"], 3, "row 0: unknown key 'policy_chosen'; did you mean 'policy'?"),
    ],
)
def test_mistakes_are_told(batch, words, code, sentence):
    done = CliRunner().invoke(app, ["loss", *words, "--batch", str(batch)])
    assert done.exception.exit_code == code and sentence in str(done.exception)


@pytest.mark.parametrize(
    ("text", "sentence"), [(b"{", "line 1: no JSON"), (b'["\xff"]', "must be UTF-8")]
)
def test_a_file_that_is_no_json(batch, text, sentence):
    batch.write_bytes(text)
    done = CliRunner().invoke(app, ["loss", "dpo", "--batch", str(batch)])
    assert done.exception.exit_code == 3 and sentence in str(done.exception)
