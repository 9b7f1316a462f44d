"""The table of cases from the files of a run: answers, items and the ledger."""

from contextlib import closing

import pytest
import yaml

from plumbline import config, layout
from plumbline.artifacts import write_json, write_rows
from plumbline.cli import cases
from plumbline.judge.ledger import Asked, Ledger
from plumbline.rows import FEEDBACK, ITEM, RESPONSE

PROMPT = [{"role": "user", "content": "add two and three"}]
WORDS = "Comparison: right.\nBetter response: B"


@pytest.fixture
def wanted(place) -> config.Experiment:
    raw = yaml.safe_load((place / "tiny.yaml").read_text())
    choice = {"benchmark": "toyland", "metric": "reward", "methods": ["sft", "dpo"]}
    raw["report"]["cases"] = choice
    return config.parse(raw)


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> str:
    """A ledger with one judgment; its key."""
    monkeypatch.setenv("PLUMBLINE_LEDGER", str(tmp_path / "ledger.sqlite"))
    asked = Asked("judge", "1", {"messages": [{"role": "user", "content": "which?"}]})
    answer = {"choices": [{"message": {"content": WORDS}}]}
    with closing(Ledger(layout.ledger())) as opened:
        opened.commit(asked, answer)
        [row] = opened.judgments()
    return row["key"]


@pytest.fixture
def folders(wanted, tmp_path, monkeypatch, ledger):
    """One test prompt, answered by both methods; the judgment of SFT's is not in the ledger."""
    monkeypatch.chdir(tmp_path)
    folders = wanted.setting_folders()["small"]
    row = {"id": "t1", "prompt": PROMPT, "completions": ["six", "five ."], "chosen": 1}
    write_rows(folders.data("test"), [row | {"rejected": 0}], FEEDBACK)
    for method, key, value in (("sft", "gone", None), ("dpo", ledger, 1.25)):
        chosen = {"setting": folders.name, "method": method, "point": "default"}
        write_json(folders.selection("tiny", method), chosen)
        where = layout.selected(folders, "tiny", method, 0)
        answer = {"id": "t1", "prompt": PROMPT, "answers": [f"{method} says <b>"]}
        write_rows(where.responses("toyland"), [answer], RESPONSE)
        item = {"metric": "reward", "response": "t1", "judgment": key, "value": value}
        other = item | {"metric": "length", "value": 3.0}
        write_rows(where.items("toyland"), [item | {"reason": "no verdict"}, other], ITEM)
    return folders


def test_a_case_has_answers_values_and_the_judge_s_words(wanted, folders):
    line = cases.files(wanted, folders)["cases.md"].splitlines()[2]
    assert line == (
        r"| user: add two and three | five . | sft says \<b\> | reward: no verdict. "
        r"| dpo says \<b\> | reward: 1.25. Comparison: right. Better response: B |"
    )


def test_who_wants_no_cases_has_no_files(place, folders):
    assert cases.files(config.read(place / "tiny.yaml"), folders) == {}
