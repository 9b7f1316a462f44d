"""Feedback of one's own, in its three forms."""

import json
from pathlib import Path

import pytest

from plumbline.data.jsonl import jsonl
from plumbline.errors import DataError

PROMPT = [{"role": "user", "content": "q"}]


def parsed(folder: Path, *rows: dict) -> list[dict]:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(jsonl(str(path)))


def test_each_form_is_a_feedback_row(tmp_path: Path) -> None:
    pair, good, bad, scored = parsed(
        tmp_path,
        {"prompt": "q", "chosen": "a", "rejected": "b", "annotator": "ignored"},
        {"prompt": PROMPT, "completion": "a", "label": True},
        {"prompt": "q", "completion": "b", "label": False, "id": "mine"},
        {"prompt": "q", "completions": ["a", "b", "c"], "scores": [0, 0.5, 1]},
    )
    common = {"prompt": PROMPT, "scores": None}
    assert pair == {**common, "id": "mine:1", "completions": ["a", "b"], "chosen": 0, "rejected": 1}
    assert good == {**common, "id": "mine:2", "completions": ["a"], "chosen": 0, "rejected": None}
    assert bad == {**common, "id": "mine", "completions": ["b"], "chosen": None, "rejected": 0}
    assert scored["scores"] == [0.0, 0.5, 1.0]
    assert (scored["chosen"], scored["rejected"]) == (None, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "q"}, "the row is .* expected chosen and rejected, or completion and label"),
        ({"chosen": "a", "rejected": "b"}, "field 'prompt' is nothing; expected text"),
        ({"prompt": "q", "chosen": "a"}, "field 'rejected' is nothing; expected text"),
        ({"prompt": "q", "completion": "a", "label": 1}, "field 'label' is 1; expected true or"),
        ({"prompt": "q", "label": True}, "field 'completion' is nothing; expected text"),
        (
            {"prompt": "q", "completions": ["a", "b"], "scores": [0.5]},
            r"field 'scores' is \[0.5\]; expected 2 scores",
        ),
        (
            {"prompt": "q", "completions": ["a", "b"], "scores": [0.5, 7]},
            r"field 'scores\[1\]' is 7; expected a number from 0 to 1",
        ),
        (
            {"prompt": "q", "completions": ["a"], "scores": [0.5]},
            r"field 'completions' is \['a'\]; expected at least two completions",
        ),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "id": 3}, "field 'id' is 3; expected"),
    ],
)
def test_a_malformed_row_is_named(tmp_path: Path, row: dict, message: str) -> None:
    whole = {"prompt": "q", "chosen": "a", "rejected": "b"}
    with pytest.raises(DataError, match=f"mine.jsonl, line 2: {message}"):
        parsed(tmp_path, whole, row)
