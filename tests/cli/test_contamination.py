"""plumbline contamination: of an experiment and of two files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plumbline import config
from plumbline.artifacts import read_rows, write_rows
from plumbline.cli.app import app
from plumbline.errors import ConfigError, DataError
from plumbline.rows import OVERLAP


@pytest.fixture
def files(tmp_path):
    """A file of 40 training prompts and one of 60 items, three of which (5 %) are among them."""
    prompts = [f"Prompt {n}: what is it for?" for n in range(40)]
    items = [f"Question {n}, what is it for?" for n in range(57)]
    train, asked = tmp_path / "train.jsonl", tmp_path / "items.json"
    train.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in prompts))
    planted = [text.upper() for text in prompts[7:10]]
    asked.write_text(json.dumps([{"question": text} for text in items + planted]))
    return train, asked


@pytest.fixture
def listed(place, tmp_path, monkeypatch, command):
    """Make an experiment of `benchmarks` in an empty folder; its setting's folder, and a function
    that prints what is listed: benchmark and split -> the rest of the line."""

    def made(benchmarks: str) -> tuple:
        monkeypatch.chdir(tmp_path)
        lines = (place / "tiny.yaml").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("benchmarks:")]
        Path("two.yaml").write_text("\n".join([*kept, f"benchmarks: {benchmarks}"]))

        def printed() -> dict[str, str]:
            said = command("contamination", "two.yaml").splitlines()
            rows = [line.split(maxsplit=3) for line in said if line.startswith("  small")]
            return {name + split: " ".join(rest.split()) for _, name, split, rest in rows}

        return config.read(Path("two.yaml")).setting_folders()["small"], printed

    return made


def test_two_files_with_five_percent_planted(files, command):
    said = command("contamination", "--train", files[0], "--items", files[1]).splitlines()
    [line] = [line for line in said if "items.json" in line]
    assert line.split() == ["train.jsonl", "items.json", "60", "3", "0", "3", "5.00", "%"]


def test_a_file_that_is_not_there_is_absent_data(files):
    words = ["contamination", "--train", str(files[0]), "--items", "nowhere.jsonl"]
    found = CliRunner().invoke(app, words).exception
    assert isinstance(found, DataError) and "data absent: no file nowhere.jsonl" in str(found)


@pytest.mark.parametrize("words", [[], ["--train", "a"], ["x.yaml", "--train", "a"]])
def test_half_of_a_question_is_refused(words):
    found = CliRunner().invoke(app, ["contamination", *words]).exception
    assert isinstance(found, ConfigError) and "both of --train FILE and --items FILE" in str(found)


def test_an_experiments_pairs_as_far_as_they_are_known(listed, command):
    folders, printed = listed("{toyland: {limit: 4}, lm_eval_tasks: {tasks: [toyland_arc]}}")
    before = printed()
    assert list(before) == ["toyland,validation", "toyland,test", "lm_eval_tasks,test"]
    assert all(line.startswith("– – – – data absent: plumbline data") for line in before.values())
    command("data", "two.yaml", folders.name)
    assert printed()["toyland,test"] == "8 0 0 0 0.00 %"
    assert len(read_rows(folders.contamination("test", "toyland"))) == 8
    assert printed()["lm_eval_tasks,test"].startswith("– – – – not scored yet: snakemake")
    rows = [{"id": "a", "exact": True, "ngram": True}, {"id": "b", "exact": False, "ngram": False}]
    write_rows(folders.contamination("test", "lm_eval_tasks"), rows, OVERLAP)
    assert printed()["lm_eval_tasks,test"] == "2 1 1 1 50.00 %"


def test_a_missing_evaluation_set_is_a_line_and_not_the_end(listed, command):
    folders, printed = listed("{mt_bench: {questions: gone.jsonl}, toyland: {limit: 4}}")
    command("data", "two.yaml", folders.name)
    found = printed()
    assert found["mt_bench,test"].startswith("– – – – data absent:")
    assert "gone.jsonl" in found["mt_bench,test"]
    assert found["toyland,test"].endswith("%")


def test_neither_torch_nor_an_evaluator_is_loaded(files):
    code = (
        "import sys; from plumbline.cli.app import app\n"
        f"app(['contamination', '--train', {str(files[0])!r}, '--items', {str(files[1])!r}],"
        " standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas', 'alpaca_eval', 'lm_eval',"
        " 'fastchat'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
