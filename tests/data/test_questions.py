"""Questions out of rows of every form."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.data.questions import question, questions
from plumbline.errors import DataError

MESSAGES = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "aha"},
    {"role": "user", "content": "two"},
]


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"prompt": "one"}, ["one"]),
        ({"prompt": MESSAGES}, ["one", "two"]),
        ({"turns": ["one", "two"], "category": "math"}, ["one", "two"]),
        ({"instruction": "one", "output": "no"}, ["one"]),
        ({"question": "one", "choices": ["no"]}, ["one"]),
        ({"Question": "one"}, ["one"]),
        ({"problem": "one", "solution": "no"}, ["one"]),
        ({"ctx": "one", "endings": ["no"]}, ["one"]),
        ({"prompt": None, "question": "one"}, ["one"]),
        ({"text": "one"}, None),
    ],
)
def test_what_a_row_asks(row, turns):
    assert question(row) == turns


def test_every_form_of_file_gives_the_same(tmp_path):
    rows = [{"prompt": "one"}, {"prompt": "two"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.json").write_text(json.dumps(rows))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet")
    found = [questions(path) for path in sorted(tmp_path.iterdir())]
    assert found == [{"1": ["one"], "2": ["two"]}] * 5


def test_what_is_absent_or_asks_nothing_is_named(tmp_path):
    with pytest.raises(DataError, match="data absent: no file .*nothing.jsonl"):
        questions(tmp_path / "nothing.jsonl")
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"prompt": "one"}, {"text": "two"}]))
    with pytest.raises(DataError, match=r"row 2.*expected one of the fields prompt, instruction"):
        questions(path)
