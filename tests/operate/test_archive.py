"""An archive is the same bytes each time, and is read without trust."""

import hashlib
import json
import stat
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.artifacts import file_digest
from plumbline.errors import IntegrityError
from plumbline.operate import archive
from plumbline.operate.archive import METADATA, PART, pack, unpacked

FILES = {"a.txt": b"one", "results/x=0.1,y=2/seed=-1/run.json": b"{}"}


def metadata(digests: dict[str, str]) -> str:
    graph = [{"@id": name, "@type": "File", "sha256": value} for name, value in digests.items()]
    return json.dumps({"@graph": [{"@id": "./", "@type": "Dataset"}, *graph]})


def packed(folder: Path, files: dict[str, bytes] = FILES, **listed: str | None) -> Path:
    """An archive of some files. listed: digests to list instead; None leaves a file out."""
    places = {name: folder / str(number) for number, name in enumerate(files)}
    for name, place in places.items():
        place.write_bytes(files[name])
    digests = {name: file_digest(place) for name, place in places.items()} | listed
    digests = {name: value for name, value in digests.items() if value is not None}
    pack(folder / "it.zip", places, metadata(digests))
    return folder / "it.zip"


def written(path: Path, entries: dict[str, bytes]) -> Path:
    """A zip as anyone may write it."""
    with ZipFile(path, "w") as out:
        for name, content in entries.items():
            out.writestr(name, content)
    return path


def refused(path: Path, message: str) -> None:
    with pytest.raises(IntegrityError, match=message), unpacked(path):
        pytest.fail("it was unpacked")


def test_what_goes_in_comes_out(tmp_path):
    with unpacked(packed(tmp_path)) as folder:
        assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert not folder.exists()


def test_order_and_time_leave_no_mark(tmp_path):
    first = packed(tmp_path).read_bytes()
    assert packed(tmp_path, dict(reversed(FILES.items()))).read_bytes() != first, "metadata differ"
    (tmp_path / "0").touch()
    assert packed(tmp_path).read_bytes() == first


@pytest.mark.parametrize(
    "name",
    ["../out", "/etc/out", "a/../../out", "a//b", ".hidden", "a/.", "C:\\out", "a\\..\\b", "a b"],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name, tmp_path):
    path = written(tmp_path / "it.zip", {METADATA: b"{}", name: b"x"})
    refused(path, "is no name of a file here")
    assert not (tmp_path.parent / "out").exists()


@given(st.text(max_size=12))
def test_no_part_of_a_name_leads_up_or_hides(text):
    """The rule of names, against the library that reads paths."""
    if PART.fullmatch(text):
        assert Path("here", text).parts == ("here", text) and text not in ("..", ".")
        assert not text.startswith(".") and "\\" not in text and ":" not in text


def test_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "it.zip"
    with ZipFile(path, "w") as out, pytest.warns(UserWarning, match="Duplicate"):
        for content in (b"1", b"2"):
            out.writestr("a.txt", content)
    refused(path, "'a.txt' is no name")


def test_a_link_is_a_file_like_any_other(tmp_path):
    link = ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with ZipFile(tmp_path / "it.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
        out.writestr(METADATA, metadata({"link": hashlib.sha256(b"/etc/passwd").hexdigest()}))
    with unpacked(tmp_path / "it.zip") as folder:
        assert not (folder / "link").is_symlink()
        assert (folder / "link").read_text() == "/etc/passwd"


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_what_is_too_large_is_refused_before_it_is_unpacked(limit, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, limit, 2)
    refused(packed(tmp_path), "is larger than")


def test_a_changed_file_is_refused_by_its_name(tmp_path):
    refused(packed(tmp_path, **{"a.txt": "0" * 64}), "a.txt is not the file that was exported")


def test_a_file_that_nobody_lists_is_refused(tmp_path):
    refused(packed(tmp_path, **{"a.txt": None}), "a.txt is not in its metadata")


def test_a_file_that_is_listed_must_be_there(tmp_path):
    refused(packed(tmp_path, **{"b.txt": "0" * 64}), "b.txt is missing")


def test_names_are_listed_as_addresses(tmp_path):
    """Source: RO-Crate 1.1: file names are percent-encoded in @id."""
    digests = {"results/x%3D0.1%2Cy%3D2/run.json": file_digest(Path(__file__))}
    place = tmp_path / "it.zip"
    pack(place, {"results/x=0.1,y=2/run.json": Path(__file__)}, metadata(digests))
    with unpacked(place) as folder:
        assert (folder / "results/x=0.1,y=2/run.json").is_file()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"@graph": 3}', '{"@graph": [{}]}', '{"@graph": [{"@type": "File"}]}']
)
def test_metadata_that_describe_nothing_are_refused(text, tmp_path):
    refused(written(tmp_path / "it.zip", {METADATA: text.encode()}), METADATA)


def test_metadata_nested_without_end_are_refused(tmp_path):
    text = b'{"@graph": ' + b"[" * 100_000
    refused(written(tmp_path / "it.zip", {METADATA: text}), METADATA)


def test_a_torn_zip_is_refused(tmp_path):
    path = packed(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "is not a whole zip")
    middle = whole.index(b"PK\x03\x04", 4) + 60
    path.write_bytes(whole[:middle] + b"\xff" * 8 + whole[middle + 8 :])
    refused(path, "is not|no name")


def test_an_absent_archive_says_what_writes_one(tmp_path):
    refused(tmp_path / "none.zip", "plumbline export")
