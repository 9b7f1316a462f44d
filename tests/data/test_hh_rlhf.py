"""Anthropic's own files, to the character."""

import gzip
import json
from pathlib import Path

import pytest

from plumbline.data.hh_rlhf import hh_rlhf, messages
from plumbline.errors import DataError

NAMES = {"user": "Human", "assistant": "Assistant"}


def parsed(folder: Path, chosen: object, rejected: object) -> dict:
    path = folder / "mine.jsonl"
    path.write_text(json.dumps({"chosen": chosen, "rejected": rejected}))
    return next(hh_rlhf(str(path)))


@pytest.fixture(scope="module")
def raw(shared_data: Path) -> list[dict]:
    with gzip.open(shared_data / "hh_rlhf/harmless-base/test.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict]:
    return list(hh_rlhf(str(shared_data / "hh_rlhf/harmless-base")))


def test_all_rows_of_harmless_base_parse_without_losing_a_character(raw, rows) -> None:
    assert len(rows) == len(raw) == 2312
    for row, dialogues in zip(rows, raw, strict=True):
        prompt = "".join(f"\n\n{NAMES[turn['role']]}: {turn['content']}" for turn in row["prompt"])
        for side in ("chosen", "rejected"):
            assert f"{prompt}\n\nAssistant: {row['completions'][row[side]]}" == dialogues[side]


def test_roles_alternate_and_end_with_the_user(rows) -> None:
    for row in rows:
        roles = [turn["role"] for turn in row["prompt"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_the_sample_parsed_by_another_program_is_the_same(rows, shared_data: Path) -> None:
    """Source: harmless_base_test_sample200.jsonl, parsed independently of this package."""
    sample = (shared_data / "hh_rlhf/harmless_base_test_sample200.jsonl").read_text()
    expected = [json.loads(line) for line in sample.splitlines()]
    assert len(expected) == 200
    for item in expected:
        row = rows[item["source_index"]]
        assert row["id"] == f"test:{item['source_index'] + 1}"
        assert row["prompt"] == item["prompt"]
        assert row["completions"] == [item["chosen"], item["rejected"]]
        assert (row["chosen"], row["rejected"], row["scores"]) == (0, 1, None)


def test_a_mark_of_who_is_speaking_already_is_part_of_the_text() -> None:
    dialogue = "\n\nHuman: a\n\nAssistant: b\n\nAssistant: c\n\nHuman: d"
    assert messages(dialogue) == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b\n\nAssistant: c"},
        {"role": "user", "content": "d"},
    ]


def test_dialogues_that_part_early_are_completed_from_the_last_shared_prompt(tmp_path) -> None:
    shared = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:"
    row = parsed(tmp_path, shared + " d\n\nHuman: e\n\nAssistant: f", shared + " g")
    assert [turn["content"] for turn in row["prompt"]] == ["a", "b", "c"]
    assert row["completions"] == ["d\n\nHuman: e\n\nAssistant: f", "g"]


def test_answers_that_begin_alike_are_whole(tmp_path) -> None:
    row = parsed(tmp_path, "\n\nHuman: a\n\nAssistant: Yes", "\n\nHuman: a\n\nAssistant: Yes, no")
    assert row["completions"] == ["Yes", "Yes, no"]


def test_an_answer_may_be_empty(tmp_path) -> None:
    row = parsed(tmp_path, "\n\nHuman: a\n\nAssistant: ", "\n\nHuman: a\n\nAssistant: b")
    assert row["completions"] == ["", "b"]


@pytest.mark.parametrize(
    ("chosen", "rejected", "message"),
    [
        (None, "\n\nHuman: a\n\nAssistant: b", "line 1: field 'chosen' is nothing; expected text"),
        ("\n\nHuman: a\n\nAssistant: b", 7, "line 1: field 'rejected' is 7; expected text"),
        ("Human: a", "Human: a", r"field 'chosen' is 'Human: a'; expected a dialogue"),
        ("\n\nHuman: a", "\n\nHuman: b", "field 'chosen' is .* expected a dialogue"),
        (
            "\n\nHuman: a\n\nAssistant: b",
            "\n\nHuman: c\n\nAssistant: b",
            "field 'rejected' is .* expected a dialogue that begins with the turns of",
        ),
    ],
)
def test_a_malformed_row_is_named(tmp_path, chosen, rejected, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        parsed(tmp_path, chosen, rejected)
    assert "mine.jsonl" in str(error.value)


def test_transcripts_of_attacks_beside_the_pairs_are_not_read(tmp_path: Path) -> None:
    row = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
    for name, content in [("harmless-base", row), ("red-team-attempts", {"transcript": "..."})]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text(json.dumps(content))
    assert [row["id"] for row in hh_rlhf(str(tmp_path))] == ["harmless-base/train:1"]
