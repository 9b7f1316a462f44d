"""Files are whole or absent, equal values have equal digests."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_disk import small_disk

from plumbline import artifacts
from plumbline.artifacts import is_current, read_vectors, write_vectors
from plumbline.errors import DataError, IntegrityError

SCHEMA = pa.schema([("id", pa.string()), ("value", pa.float64())])
ROWS = [{"id": "a", "value": 0.5}, {"id": "b", "value": -1.0}]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reversed_keys(value):
    """The same JSON value with every object's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


def fail_half_way(temporary: Path) -> None:
    temporary.write_text("half of the new cont")
    raise RuntimeError("the disk is full")


@pytest.mark.parametrize("existed", [True, False])
def test_a_write_that_raises_leaves_what_was_there(tmp_path, existed):
    path = tmp_path / "deep" / "file.txt"
    if existed:
        artifacts.write_text(path, "old")
    with pytest.raises(RuntimeError):
        artifacts.write_atomically(path, fail_half_way)
    assert [item.name for item in path.parent.iterdir()] == (["file.txt"] if existed else [])
    assert not existed or path.read_text() == "old"


def test_a_killed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    artifacts.write_text(path, "old")
    code = (
        "import os, sys; from pathlib import Path; from plumbline.artifacts import *\n"
        "def die(temporary): temporary.write_text('ne'); os.kill(os.getpid(), 9)\n"
        "write_atomically(Path(sys.argv[1]), die)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL and path.read_text() == "old"


def test_the_new_file_appears_by_rename(tmp_path):
    """A reader that opened the old file goes on reading it whole."""
    path = tmp_path / "file.txt"
    artifacts.write_text(path, "old")
    with open(path) as reader:
        artifacts.write_text(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"


@given(json_values)
def test_digest_ignores_the_order_of_keys(value):
    assert artifacts.digest(reversed_keys(value)) == artifacts.digest(value)


@given(json_values)
def test_digest_survives_a_file(value):
    assert artifacts.digest(json.loads(json.dumps(value, indent=1))) == artifacts.digest(value)


@given(json_values, json_values)
def test_different_values_have_different_digests(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (artifacts.digest(one) == artifacts.digest(other)) == same


def test_digest_by_hand():
    """Source: sha256 of the canonical text, written by hand."""
    text = '{"a":[1,2.5,null],"ß":"é"}'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert artifacts.digest({"ß": "é", "a": [1, 2.5, None]}) == expected


def test_folder_digest_sees_names_and_bytes_alone(tmp_path):
    def folder(name: str, files: dict[str, str]) -> Path:
        for file, text in files.items():
            artifacts.write_text(tmp_path / name / file, text)
        return tmp_path / name

    digests = [
        artifacts.folder_digest(folder(str(index), files))
        for index, files in enumerate(
            [
                {"a": "1", "b/c": "2"},
                {"b/c": "2", "a": "1"},
                {"a": "1", "b/c": "2", "__pycache__/a.pyc": "3"},
                {"a": "1", "b/d": "2"},
                {"a": "1", "b/c": "3"},
                {"a": "1"},
            ]
        )
    ]
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests)) == 4


def test_derived_seeds_are_32_bit_and_differ_by_purpose_and_part():
    seeds = [artifacts.derive_seed(*parts) for parts in (("a", 0), ("a", 1), ("b", 0), ("a", 0, 0))]
    assert len(set(seeds)) == 4 and all(0 <= seed < 2**32 for seed in seeds)
    assert seeds[0] == int(hashlib.sha256(b'["a",0]').hexdigest()[:8], 16)


def test_rows_come_back_as_they_were(tmp_path):
    """The folder's name looks like a partition (key=value), as a run's does."""
    path = tmp_path / "beta=0.1" / "seed=3" / "rows.parquet"
    artifacts.write_rows(path, [*ROWS, {"id": "c"}], SCHEMA)
    assert artifacts.read_rows(path) == [*ROWS, {"id": "c", "value": None}]


def test_no_rows_keep_their_schema(tmp_path):
    artifacts.write_rows(tmp_path / "rows.parquet", [], SCHEMA)
    assert artifacts.read_rows(tmp_path / "rows.parquet") == []


def test_unknown_columns_are_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    with pytest.raises(DataError, match="vlaue.*known: .*value"):
        artifacts.write_rows(path, [{"id": "a"}, {"id": "b", "vlaue": 1.0}], SCHEMA)
    assert not path.exists()


def test_current_means_made_from_exactly_these_parts(tmp_path):
    path = tmp_path / "rows.parquet"
    parts = {"model": "abc", "options": {"limit": 3}}
    assert not artifacts.is_current(path, parts)
    artifacts.write_rows(path, ROWS, SCHEMA)
    assert not artifacts.is_current(path, parts)
    artifacts.write_rows(path, ROWS, SCHEMA, parts)
    assert artifacts.is_current(path, {"options": {"limit": 3}, "model": "abc"})
    assert not artifacts.is_current(path, parts | {"model": "abd"})
    assert not artifacts.is_current(path, {"model": "abc"})
    assert artifacts.read_rows(path) == ROWS


def torn(path: Path, how: str) -> None:
    whole = path.read_bytes()
    tears = {
        "empty": b"",
        "start": whole[: len(whole) // 2],
        "end": whole[len(whole) // 2 :],
        "middle": whole[: len(whole) // 3] + bytes(len(whole) // 3) + whole[-(len(whole) // 3) :],
        "foreign": b"this is another kind of file",
    }
    path.write_bytes(tears[how])


@pytest.mark.parametrize("how", ["empty", "start", "end", "middle", "foreign"])
def test_torn_parquet_is_an_integrity_error(tmp_path, how):
    path = tmp_path / "rows.parquet"
    many = [{"id": f"row {index}", "value": index / 7} for index in range(1000)]
    artifacts.write_rows(path, many, SCHEMA, {"a": 1})
    torn(path, how)
    with pytest.raises(IntegrityError, match="rows.parquet"):
        artifacts.read_rows(path)


def test_asking_whether_a_torn_file_is_current_is_an_integrity_error(tmp_path):
    path = tmp_path / "rows.parquet"
    artifacts.write_rows(path, ROWS, SCHEMA, {"a": 1})
    torn(path, "start")
    with pytest.raises(IntegrityError, match="rows.parquet"):
        artifacts.is_current(path, {"a": 1})


def test_merged_files_are_their_rows_one_after_another(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "none.parquet", tmp_path / "b.parquet"]
    for path, rows in zip(paths, [ROWS, [], ROWS[:1]], strict=True):
        artifacts.write_rows(path, rows, SCHEMA, {"made": path.name})
    artifacts.merge_rows(paths, tmp_path / "all.parquet", SCHEMA)
    assert artifacts.read_rows(tmp_path / "all.parquet") == [*ROWS, ROWS[0]]
    artifacts.merge_rows(paths, tmp_path / "all.parquet", SCHEMA, id="x")
    assert [row["id"] for row in artifacts.read_rows(tmp_path / "all.parquet")] == ["x"] * 3
    artifacts.merge_rows([], tmp_path / "all.parquet", SCHEMA)
    assert artifacts.read_rows(tmp_path / "all.parquet") == []
    torn(paths[2], "start")
    with pytest.raises(IntegrityError, match="b.parquet"):
        artifacts.merge_rows(paths, tmp_path / "all.parquet", SCHEMA)


@pytest.mark.parametrize("cut", [0, 5, 12])
def test_torn_json_is_an_integrity_error(tmp_path, cut):
    """12 bytes end inside the two bytes of a letter."""
    path = tmp_path / "record.json"
    artifacts.write_json(path, {"a": "ééééé"})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IntegrityError, match="record.json"):
        artifacts.read_json(path)


def test_an_absent_file_is_not_called_torn(tmp_path):
    with pytest.raises(FileNotFoundError):
        artifacts.read_rows(tmp_path / "rows.parquet")


def test_a_torn_file_names_the_output_to_remove(tmp_path, monkeypatch):
    """By hand: a split of the data is no output of a rule, the record beside it is."""
    monkeypatch.chdir(tmp_path)
    path = Path("results/s/data/train.parquet")
    artifacts.write_text(path, "torn")
    with pytest.raises(
        IntegrityError, match=r"train.parquet is not .*`rm results/s/data/data.json`"
    ):
        artifacts.read_rows(path)


def test_a_torn_file_with_a_second_name_names_both(tmp_path):
    artifacts.write_text(tmp_path / "rows.json", "{")
    artifacts.write_text(tmp_path / ".rows.json.kept", "{")
    with pytest.raises(IntegrityError, match=r"`rm \S+/rows.json \S+/.rows.json.kept`"):
        artifacts.read_json(tmp_path / "rows.json")


# A full disk


@pytest.fixture
def disk(tmp_path):
    """400 kilobytes, 300 of which are taken by a file that is whole."""
    with small_disk(tmp_path / "disk", 400) as folder:
        artifacts.write_text(folder / "whole", "x" * 300_000)
        yield folder


def test_a_full_disk_is_said_and_leaves_nothing_half_written(disk):
    with pytest.raises(IntegrityError, match="disk is full.*more was not written.*keep_models"):
        artifacts.write_text(disk / "more", "y" * 300_000)
    assert [item.name for item in disk.iterdir()] == ["whole"]
    with pytest.raises(IntegrityError, match="disk is full"):
        artifacts.write_text(disk / "whole", "y" * 300_000)
    assert (disk / "whole").read_text() == "x" * 300_000, "the old file stays"


def test_rows_on_a_full_disk(disk):
    """pyarrow has an error of its own for it."""
    rows = [{"name": f"{number:0100d}{os.urandom(100).hex()}"} for number in range(2000)]
    with pytest.raises(IntegrityError, match="disk is full"):
        artifacts.write_rows(disk / "rows.parquet", rows, pa.schema([("name", pa.string())]))
    assert [item.name for item in disk.iterdir()] == ["whole"]


def test_a_folder_on_a_full_disk(disk):
    with (
        pytest.raises(IntegrityError, match="disk is full.*model was not written"),
        artifacts.new_folder(disk / "model") as folder,
    ):
        folder.mkdir()
        (folder / "weights").write_bytes(b"z" * 300_000)
    assert [item.name for item in disk.iterdir()] == ["whole"]


def test_other_failures_are_not_called_a_full_disk(tmp_path):
    with pytest.raises(KeyError), artifacts.room_for(tmp_path / "file"):
        raise KeyError("else")


def test_vectors_come_back_as_they_were(tmp_path):
    """Bit for bit in float32, in any order of ids, with what they were made from."""
    path, parts = tmp_path / "vectors.parquet", {"model": 1}
    given = {"b": np.array([0.1, -2.5, 3e-30]), "a": np.array([1.0, 1 / 3, np.pi])}
    write_vectors(path, given, parts)
    found = read_vectors(path)
    assert list(found) == ["b", "a"] and is_current(path, parts)
    assert all((found[name] == given[name].astype(np.float32)).all() for name in given)
    assert not is_current(path, {"model": 2})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="not a whole parquet file"):
        read_vectors(path)
