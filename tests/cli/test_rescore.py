"""`plumbline rescore`: options are the function's own, and a mistake is told with all of them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline.cli.app import app
from plumbline.cli.rescore import able, options
from plumbline.errors import ConfigError

JUDGMENT = {
    "question_id": 81,
    "turn": 1,
    "model": "mine",
    "judge": ["gpt-4", "single-v1"],
    "judgment": "Rating: [[7]]",
    "score": 7,
}


def function(*, outputs: Path, limit: str = "all") -> list:
    """What it does."""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "outputs.json"
    path.touch()
    return path


def test_both_ways_of_typing_an_option(file):
    assert options(function, ["--outputs", str(file)], "") == {"outputs": file}
    found = options(function, [f"--outputs={file}", "--limit", "--3"], "")
    assert found == {"outputs": file, "limit": "--3"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--outputs: required, not given"),
        (["--output", "x"], "--output: unknown option; did you mean '--outputs'?"),
        (["--outputs", "absent.json"], "--outputs: no file absent.json"),
        (["--outputs"], "--outputs: has no value"),
        (["outputs"], "'outputs': expected an option"),
    ],
)
def test_a_mistake_is_told_with_the_options(words, message):
    with pytest.raises(ConfigError) as caught:
        options(function, words, "THE HELP")
    assert str(caught.value).startswith(message) and str(caught.value).endswith("\n\nTHE HELP")


def test_a_benchmark_alone_names_its_options():
    done = CliRunner().invoke(app, ["rescore", "mt_bench"])
    assert isinstance(done.exception, ConfigError)
    assert "plumbline rescore mt_bench --judgments JUDGMENTS" in str(done.exception)
    assert "gpt-4_single.jsonl" in str(done.exception)


def test_other_benchmarks_are_refused_with_those_that_can():
    done = CliRunner().invoke(app, ["rescore", "toyland", "--x", "1"])
    assert isinstance(done.exception, ConfigError)
    assert all(name in str(done.exception) for name in able())
    assert {"alpaca_eval_2", "mt_bench"} <= set(able())


def test_scores_are_printed_as_json(command, tmp_path):
    path = tmp_path / "gpt-4_single.jsonl"
    path.write_text(json.dumps(JUDGMENT))
    [found] = json.loads(command("rescore", "mt_bench", "--judgments", path))
    first = found["scores"][0]
    assert (found["model"], first["metric"], first["value"]) == ("mine", "mt_bench", 7.0)
    assert (first["n"], first["n_expected"], first["status"]) == (1, 160, "incomplete")
    assert first.keys() >= {"se", "reason"}
