"""Where rows come from, and what a malformed one says."""

import gzip
import json
import sys
import types
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from plumbline.data.records import Value, records, shown
from plumbline.errors import DataError


def written(folder: Path, name: str, *lines: object) -> Path:
    """A file of one JSON value a line."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def found(path: object, skip: tuple[str, ...] = ()) -> dict[str, object]:
    return {id: row.value for id, row in records(str(path), skip)}


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.jsonl.gz"])
def test_a_file_gives_its_rows_with_ids_that_name_the_line(tmp_path: Path, name: str) -> None:
    assert found(written(tmp_path, name, {"a": 1}, {"a": 2})) == {
        "mine:1": {"a": 1},
        "mine:2": {"a": 2},
    }


def test_a_folder_gives_its_files_in_order_whatever_its_own_name(tmp_path: Path) -> None:
    for home in ("here", "there"):
        written(tmp_path / home, "b/test.jsonl", {"a": 2})
        written(tmp_path / home, "a/test.jsonl.gz", {"a": 1})
        written(tmp_path / home, "notes/test.jsonl", {"a": 3})
        rows = found(tmp_path / home, skip=("notes",))
        assert list(rows.items()) == [("a/test:1", {"a": 1}), ("b/test:1", {"a": 2})]


def test_blank_lines_count_but_hold_no_row(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n\n')
    assert list(found(path)) == ["mine:1", "mine:3"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"a": 1}\n{"a": \n', ["line 2", "is not JSON"]),
        (b'{"a": 1}\n[1, 2]\n', ["line 2: the row is [1, 2]; expected a JSON object"]),
        (b'{"a": "\xff"}\n', ["line 1", "\\\\xff", "is not JSON in UTF-8"]),
        (b"", ["is empty; expected one JSON object a line"]),
        (b"\n \n", ["is empty"]),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, content: bytes, says: list[str]) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        found(path)
    assert all(part in str(error.value) for part in [str(path), *says])


@pytest.mark.parametrize(
    "content",
    [b"version https://git-lfs.github.com/spec/v1\n", gzip.compress(b'{"a": 1}\n' * 99)[:-12]],
    ids=["pointer", "torn"],
)
def test_what_is_not_gzip_or_torn_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a whole gzip file.*git-lfs") as error:
        found(path)
    assert str(path) in str(error.value)


def test_a_path_that_is_not_there_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder.*\.jsonl.*hub name"):
        found(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match=r"data/absent\.jsonl.*no such file"):
        found("data/absent.jsonl")


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no data")
    with pytest.raises(DataError, match=r"holds no \.jsonl"):
        found(tmp_path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub with one data set, in place of the network."""
    tables = {
        "train": Dataset.from_list([{"a": 1}, {"a": 2}]),
        "test": Dataset.from_list([{"a": 3}]),
    }

    def load_dataset(name: str, split: str | None = None) -> object:
        if name != "owner/name":
            raise FileNotFoundError(f"Dataset '{name}' doesn't exist on the Hub \x1b[31m")
        return tables[split] if split else DatasetDict(tables)

    fake = types.SimpleNamespace(load_dataset=load_dataset, DatasetDict=DatasetDict)
    monkeypatch.setitem(sys.modules, "datasets", fake)


@pytest.mark.usefixtures("hub")
def test_a_hub_name_gives_all_splits_or_the_one_named() -> None:
    assert found("owner/name") == {"train:1": {"a": 1}, "train:2": {"a": 2}, "test:1": {"a": 3}}
    assert found("owner/name:test") == {"test:1": {"a": 3}}


@pytest.mark.usefixtures("hub")
def test_an_unknown_hub_name_is_named_with_what_to_do() -> None:
    with pytest.raises(DataError, match="'nobody/nothing'.*check the name") as error:
        found("nobody/nothing")
    assert "\x1b" not in str(error.value)


def test_a_shown_value_is_short_and_cannot_drive_a_terminal() -> None:
    assert shown("\x1b[2J\u202e" + "x" * 500) == "'\\x1b[2J\\u202e" + "x" * 43 + "..."
    assert len(shown(["y" * 500])) == 60
    assert shown(None) == "nothing"


NAN = float("nan")
ROW = Value(
    "f, line 3", "", {"a": [{"b": 2}], "text": "t", "half": "\ud83d", "empty": [], "nan": NAN}
)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: ROW["a"].items()[0]["b"].text(), "field 'a[0].b' is 2; expected text"),
        (lambda: ROW["none"].text(), "field 'none' is nothing; expected text"),
        (lambda: ROW["half"].text(), r"field 'half' is '\ud83d'; expected text"),
        (lambda: ROW["text"].items(), "field 'text' is 't'; expected a list"),
        (lambda: ROW["text"]["b"], "field 'text' is 't'; expected an object with a field 'b'"),
        (lambda: ROW["text"].number(0, 1), "field 'text' is 't'; expected a number from 0 to 1"),
        (lambda: ROW["nan"].number(0, 1), "field 'nan' is nan; expected a number from 0 to 1"),
        (lambda: ROW["text"].truth(), "field 'text' is 't'; expected true or false"),
        (lambda: ROW["none"].prompt(), "field 'none' is nothing; expected text, or a list of"),
        (lambda: ROW["empty"].prompt(), "field 'empty' is []; expected messages that end"),
    ],
)
def test_a_wrong_value_names_place_field_value_and_expectation(read, message: str) -> None:
    with pytest.raises(DataError) as error:
        read()
    assert str(error.value).startswith(f"f, line 3: {message}")


def test_a_boolean_is_not_a_number() -> None:
    with pytest.raises(DataError, match="is True; expected a number"):
        Value("p", "x", True).number(0, 1)


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([{"role": "assistant", "content": "a"}], "end with a user turn"),
        ([{"role": "robot", "content": "a"}], r"'x\[0\].role' is 'robot'; expected one of system"),
        ([{"role": "user", "content": 3}], r"'x\[0\].content' is 3; expected text"),
        (["hello"], r"'x\[0\]' is 'hello'; expected an object with a field 'role'"),
    ],
)
def test_messages_are_checked(turns: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Value("p", "x", turns).prompt()


def test_a_prompt_is_text_or_messages() -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert Value("p", "x", turns).prompt() == turns
    assert Value("p", "x", "u").prompt() == turns[1:]
