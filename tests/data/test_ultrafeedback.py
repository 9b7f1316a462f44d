"""Both forms of UltraFeedback: pairs with scores, and all completions of a prompt."""

import json
from pathlib import Path

import pytest

from plumbline.data.ultrafeedback import ultrafeedback
from plumbline.errors import DataError

FOUR = Path(__file__).parent / "fixtures" / "ultrafeedback_four.jsonl"
USER = {"role": "user", "content": "q"}
PAIR = {
    "prompt": "q",
    "chosen": "good",
    "rejected": "bad",
    "score_chosen": 8.5,
    "score_rejected": 4.0,
}


def parsed(folder: Path, row: dict) -> dict:
    path = folder / "mine.jsonl"
    path.write_text(json.dumps(row))
    return next(ultrafeedback(str(path)))


def side(text: str, *before: dict) -> list[dict]:
    return [*before, {"role": "assistant", "content": text}]


def test_the_pairs_of_300_prompts_with_their_scores(shared_data: Path) -> None:
    path = shared_data / "ultrafeedback/ultrafeedback_binarized_300.jsonl"
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    rows = list(ultrafeedback(str(path)))
    assert len(rows) == 300
    for row, item in zip(rows, raw, strict=True):
        assert row["prompt"] == [{"role": "user", "content": item["prompt"]}]
        assert row["completions"] == [item["chosen"], item["rejected"]]
        assert (row["chosen"], row["rejected"]) == (0, 1)
        back = [1 + 9 * score for score in row["scores"]]
        assert back == pytest.approx([item["score_chosen"], item["score_rejected"]])


def test_scores_of_1_and_10_are_0_and_1(tmp_path: Path) -> None:
    row = parsed(tmp_path, {**PAIR, "score_chosen": 10, "score_rejected": 1})
    assert row["scores"] == [1.0, 0.0]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"chosen": side("good", USER), "rejected": side("bad", USER)},
        {"prompt": None, "chosen": side("good", USER), "rejected": side("bad", USER)},
        {"prompt": [USER], "chosen": side("good"), "rejected": side("bad")},
    ],
    ids=["texts", "messages beside the prompt", "messages alone", "answers as messages"],
)
def test_every_form_of_a_pair_is_the_same_row(tmp_path: Path, form: dict) -> None:
    assert parsed(tmp_path, {**PAIR, **form}) == {
        "id": "mine:1",
        "prompt": [USER],
        "completions": ["good", "bad"],
        "scores": pytest.approx([7.5 / 9, 3 / 9]),
        "chosen": 0,
        "rejected": 1,
    }


def test_all_completions_of_a_prompt() -> None:
    """The fixture is written by hand in the layout of openbmb/UltraFeedback."""
    rows = list(ultrafeedback(str(FOUR)))
    assert [len(row["completions"]) for row in rows] == [4, 4, 3, 1]
    assert rows[0] == {
        "id": "ultrafeedback_four:1",
        "prompt": [{"role": "user", "content": "What do bees make?"}],
        "completions": ["Honey.", "Bees make honey and wax.", "Nests.", "I cannot say."],
        "scores": pytest.approx([0.8333333, 1.0, 0.5, 0.0], abs=1e-6),
        "chosen": None,
        "rejected": None,
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**PAIR, "score_chosen": 0.5}, "'score_chosen' is 0.5; expected a number from 1 to 10"),
        ({**PAIR, "score_rejected": None}, "'score_rejected' is nothing; expected a number"),
        ({**PAIR, "prompt": None}, "'prompt' is nothing; expected text"),
        ({**PAIR, "chosen": None}, "'chosen' is nothing; expected text, or messages"),
        ({**PAIR, "rejected": [USER]}, "'rejected' is .* expected text, or messages that end"),
        (
            {**PAIR, "chosen": side("a", USER), "rejected": side("b", {**USER, "content": "?"})},
            "'rejected' is .* expected the turns of field 'chosen'",
        ),
        ({"completions": [], "instruction": 4}, "'instruction' is 4; expected text"),
        ({"completions": "a", "instruction": "q"}, "'completions' is 'a'; expected a list"),
        (
            {"completions": [{"response": "a", "overall_score": "8"}], "instruction": "q"},
            r"'completions\[0\].overall_score' is '8'; expected a number from 1 to 10",
        ),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(DataError, match=rf"mine.jsonl, line 1: field {message}"):
        parsed(tmp_path, row)
