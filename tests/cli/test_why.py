"""Where a cell comes from: who is named, in which order, and what is said of a wrong name."""

import json
from pathlib import Path

import pytest
from finished_run import finish

from plumbline.artifacts import file_digest
from plumbline.errors import ConfigError


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("run")
        patch.chdir(folder)
        finish()
        yield folder


@pytest.fixture
def chain(place, command):
    """The chain of a cell as JSON."""

    def ask(*words: str) -> dict:
        return json.loads(command("why", "tiny.yaml", *words, "--json"))

    return ask


def kinds(found: dict) -> list[str]:
    return [step["what"] for step in found["steps"]]


def test_a_cell_leads_back_to_its_data_in_order(chain):
    found = chain("table1", "DPO", "Win rate")
    what = kinds(found)
    line = ["data", "pretrain", "sft", "reference", "model", "responses", "items", "scores"]
    assert [what.index(name) for name in line] == sorted(what.index(name) for name in line)
    assert what[0] == "data" and what[-2:] == ["rows", "table"]
    chosen = what.index("selection")
    assert what[:chosen].count("scores") == 4, "two points of two seeds were looked at"
    assert what[chosen:].count("scores") == 2, "two seeds make the cell"


def test_every_file_is_there_with_its_digest_and_is_named_once(chain, place):
    found = chain("table1", "dpo", "Score")
    paths = [step["path"] for step in found["steps"]]
    assert len(set(paths)) == len(paths)
    for step in found["steps"]:
        if step["what"] != "judgments":
            assert step["sha256"] == file_digest(place / step["path"])
        assert set(step["sources"]) <= set(paths[: paths.index(step["path"])])


def test_the_value_is_the_mean_of_the_scores(chain, place):
    found = chain("table1", "dpo", "Win rate")
    values = [
        step["facts"]["value"]
        for step in found["steps"]
        if step["what"] == "scores" and "/test/" in step["path"]
    ]
    assert f"= {sum(values) / 2:.2f}" in found["cell"] and len(values) == 2


def test_judgments_are_named_by_their_keys(chain):
    [judged] = [
        step for step in chain("table1", "sft", "Score")["steps"] if step["what"] == "judgments"
    ]
    assert len(judged["facts"]["keys"]) == 2 and len(judged["facts"]["keys"][0]) == 64


def test_a_model_is_told_by_method_point_and_seed(chain):
    steps = chain("validation_grid", "dpo", "beta=0.3")["steps"]
    models = [step for step in steps if step["what"] == "model"]
    assert {(item["facts"]["point"], item["facts"]["seed"]) for item in models} == {
        ("beta=0.3", 0),
        ("beta=0.3", 1),
    }
    assert {item["facts"]["engine"] for item in models} == {2}
    assert "losses/dpo.py" in "".join(step["path"] for step in steps)


def test_an_interval_is_made_of_the_rows_of_both_methods(chain):
    found = chain("uncertainty", "sft", "Win rate")
    models = [step for step in found["steps"] if step["what"] == "model"]
    assert {"sft", "dpo"} == {step["facts"]["method"] for step in models}
    assert (
        found["cell"].startswith("SFT / Toyland Win rate = Mean ") and "Less DPO" in found["cell"]
    )


def test_each_command_is_there_once(chain):
    found = chain("table1", "dpo", "Win rate")
    made = {step["trace"]["command"] for step in found["steps"] if step["trace"]}
    assert set(found["commands"]) == made and len(found["commands"]) == len(made)
    assert len(found["environments"]) == 1


@pytest.mark.parametrize("column", ["Score", "MT-Bench Score", "mt_bench.mt_bench"])
def test_a_column_has_several_names(chain, column):
    assert chain("table1", "DPO", column)["cell"].startswith("DPO / MT-Bench Score = ")


def test_a_file_older_than_traces_is_said_to_have_none(chain, place):
    [trace] = place.glob("results/*/sft/record.json.made.json")
    kept = trace.read_text()
    trace.unlink()
    [sft] = [step for step in chain("table1", "sft", "Score")["steps"] if step["what"] == "sft"]
    assert sft["trace"] is None and len(sft["sha256"]) == 64
    trace.write_text(kept)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("table2", "dpo", "Score"), "no table 'table2': did you mean 'table1'"),
        (("table1", "dpoo", "Score"), "no method 'dpoo': did you mean 'dpo'"),
        (("table1", "dpo", "Scores"), "no column 'Scores': did you mean 'Score'"),
        (("protocol", "dpo", "Win rate"), "no test scores of a whole grid"),
        (("validation_grid", "dpo", "beta=0.2"), "no point 'beta=0.2': did you mean 'beta=0.[13]'"),
        (
            ("table1", "dpo", "Score", "--setting", "smal"),
            "no setting 'smal': did you mean 'small'",
        ),
    ],
)
def test_a_wrong_name_has_the_nearest_right_one(words, message, place, command):
    with pytest.raises(ConfigError, match=message):
        command("why", "tiny.yaml", *words)


def test_the_tree_fits_a_terminal_and_names_each_command_by_its_number(place, command):
    said = command("why", "tiny.yaml", "table1", "dpo", "Win rate")
    tree, commands = said.split("To make it again")
    assert max(len(line) for line in tree.splitlines()) <= 100
    assert tree.startswith("DPO / Toyland Win rate = ") and "as above" in tree
    assert commands.count("\n[") == len({line for line in commands.splitlines() if "[" in line})


def test_a_row_of_a_grid_that_was_tested_as_a_whole_lies_there(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    finish(tested="grid")
    found = json.loads(command("why", "tiny.yaml", "table1", "dpo", "Win rate", "--json"))
    paths = [step["path"] for step in found["steps"] if step["what"] == "scores"]
    shown = [path for path in paths if "/test/" in path]
    assert len(shown) == 2 and all("/grid/beta=" in path for path in shown)
    assert all((tmp_path / path).is_file() for path in paths)


def test_optimism_is_made_of_the_whole_grid(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    finish(tested="grid")
    found = json.loads(command("why", "tiny.yaml", "protocol", "dpo", "Win rate", "--json"))
    scores = [
        step for step in found["steps"] if step["what"] == "scores" and "/test/" in step["path"]
    ]
    assert {step["facts"]["point"] for step in scores} == {"beta=0.1", "beta=0.3"}
    assert len(scores) == 4 and "Optimism " in found["cell"]
