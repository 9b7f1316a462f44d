"""The data stage, from files to one parquet file a split."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline.artifacts import file_digest, read_rows
from plumbline.data.build import (
    build,
    by_split,
    documents,
    overlap,
    refuse_leaks,
    rows_digest,
    sample,
)
from plumbline.data.views import lists, pairs, singles, traceless
from plumbline.errors import DataError
from plumbline.schema import FactsData, FileData, ToylandData, TracesData
from plumbline.toyland import source as toyland

FOUR = Path(__file__).parent / "fixtures" / "ultrafeedback_four.jsonl"
TOYLAND = ToylandData(
    source="toyland", seed=1, documents=30, demonstrations=20, pairs=40, validation=8, test=9
)


def bucket(text: str) -> int:
    """Source: design.md section 4: sha256(normalised prompt) mod 1000, of a single user turn."""
    line = " ".join(f"user : {text}".lower().split())
    return int(hashlib.sha256(line.encode()).hexdigest(), 16) % 1000


def feedback(prompts: list[str], **fields: object) -> list[dict]:
    pair = {"chosen": "good", "rejected": "bad"}
    return [{"prompt": text, **pair, **fields} for text in prompts]


def from_rows(folder: Path, rows: list[dict], **options: object) -> FileData:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return FileData(source="jsonl", path=str(path), **options)


@pytest.fixture
def prompts() -> list[str]:
    return [f"Question {number}?" for number in range(300)]


def contents(folder: Path, split: str) -> list[str]:
    return [row["prompt"][-1]["content"] for row in read_rows(folder / f"{split}.parquet")]


def test_the_record_counts_the_labels_of_each_class(tmp_path: Path, prompts) -> None:
    """Every tenth answer is bad; of a pair both classes get one."""
    mixed = [
        {"prompt": text, "completion": f"answer {text}", "label": number % 10 > 0}
        for number, text in enumerate(prompts)
    ]
    record = build(from_rows(tmp_path, mixed), tmp_path)
    kept = [row["label"] for row in mixed if bucket(row["prompt"]) < 800]
    assert record["labels"] == {"desirable": sum(kept), "undesirable": len(kept) - sum(kept)}
    paired = build(from_rows(tmp_path, feedback(prompts)), tmp_path)
    assert paired["labels"] == {"desirable": len(kept), "undesirable": len(kept)}


def test_the_record_counts_what_is_kept_of_each_class(tmp_path: Path, prompts) -> None:
    """All rows stay in the files: pairs and lists are as they were."""
    data = from_rows(tmp_path, feedback(prompts), keep={"undesirable": 0.2})
    record = build(data, tmp_path)
    rows = read_rows(tmp_path / "train.parquet")
    assert len(rows) == record["labels"]["desirable"] == len(pairs(rows))
    kept = [item for item in singles(rows, 0, data.keep.model_dump()) if not item["desirable"]]
    assert 0 < record["labels"]["undesirable"] == len(kept) < len(rows) / 2


def test_every_prompt_lies_in_the_split_of_its_hash(tmp_path: Path, prompts) -> None:
    record = build(from_rows(tmp_path, feedback(prompts)), tmp_path)
    assert contents(tmp_path, "train") == [text for text in prompts if bucket(text) < 800]
    assert contents(tmp_path, "validation") == [
        text for text in prompts if 800 <= bucket(text) < 850
    ]
    assert contents(tmp_path, "test") == [text for text in prompts if bucket(text) >= 850]
    assert contents(tmp_path, "sft") == contents(tmp_path, "train")
    assert {row["completion"] for row in read_rows(tmp_path / "sft.parquet")} == {"good"}
    assert not (tmp_path / "pretrain.parquet").exists()
    rows = {split: item["rows"] for split, item in record["splits"].items()}
    assert rows["train"] + rows["validation"] + rows["test"] == 300 and rows["sft"] == rows["train"]
    assert record["feedback"] == ["pairs", "singles"]


@pytest.mark.parametrize("before", [[], [{"role": "system", "content": "Be kind."}]])
def test_all_stages_of_a_conversation_lie_in_the_split_of_its_opening(prompts, before) -> None:
    later = [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    openings = [[*before, {"role": "user", "content": text}] for text in prompts]
    tables = by_split(
        {"prompt": [*opening, *stage]} for opening in openings for stage in ([], later)
    )
    for rows in tables.values():
        stages = [row["prompt"] for row in rows]
        begun, continued = stages[::2], stages[1::2]
        assert begun and continued == [[*opening, *later] for opening in begun]


def test_digests_are_those_of_the_rows_read_back(tmp_path: Path) -> None:
    record = build(TOYLAND, tmp_path)
    assert set(record["splits"]) == {"pretrain", "sft", "train", "validation", "test"}
    for split, item in record["splits"].items():
        rows = read_rows(tmp_path / f"{split}.parquet")
        assert (len(rows), rows_digest(rows)) == (item["rows"], item["digest"])
    assert rows_digest(rows) != rows_digest(rows[::-1])


def test_toyland_gives_every_kind_and_as_many_rows_as_asked(tmp_path: Path) -> None:
    record = build(TOYLAND, tmp_path)
    counts = {split: item["rows"] for split, item in record["splits"].items()}
    assert counts == {"pretrain": 30, "sft": 20, "train": 40, "validation": 8, "test": 9}
    assert record["feedback"] == ["lists", "pairs", "singles"]
    train = read_rows(tmp_path / "train.parquet")
    sizes = [len(pairs(train)), len(singles(train, 0)), len(lists(train, 4, 0))]
    assert sizes == [40, 80, 40]


@pytest.mark.parametrize("model", [ToylandData, FactsData, TracesData])
def test_embedded_sources_agree_on_what_ends_a_trace(model) -> None:
    """It is a word of the world, not a key of the file."""
    assert model.trace_end == "end" and "trace_end" not in model.model_fields


def test_traces_give_every_kind_and_pairs_without_them(tmp_path: Path) -> None:
    data = TracesData(
        source="toyland_traces", documents=30, demonstrations=20, pairs=40, validation=8, test=9
    )
    record = build(data, tmp_path)
    counts = {split: item["rows"] for split, item in record["splits"].items()}
    assert counts == {"pretrain": 30, "sft": 20, "train": 40, "validation": 8, "test": 9}
    assert record["feedback"] == ["lists", "pairs", "singles"]
    train = read_rows(tmp_path / "train.parquet")
    for whole, bare in zip(pairs(train), traceless(train, data.trace_end), strict=True):
        assert whole["chosen"].endswith(bare["chosen"]) and "end" not in bare["chosen"]
    none = tmp_path / "none"
    build(data.model_copy(update={"traces": 0.0}), none)
    with pytest.raises(DataError, match="no completion of a pair has a trace"):
        traceless(read_rows(none / "train.parquet"), data.trace_end)


@pytest.mark.parametrize("source", ["toyland", "files"])
def test_the_same_section_gives_the_same_bytes(tmp_path: Path, prompts, source: str) -> None:
    data = TOYLAND if source == "toyland" else from_rows(tmp_path, feedback(prompts))
    records = [build(data, tmp_path / name) for name in ("one", "two")]
    assert records[0] == records[1]
    for split in records[0]["splits"]:
        one, two = (tmp_path / name / f"{split}.parquet" for name in ("one", "two"))
        assert file_digest(one) == file_digest(two)


def test_a_limit_keeps_that_many_in_order_whatever_stands_beside_them(tmp_path, prompts) -> None:
    limit = {"train": 50, "validation": 3}
    data = from_rows(tmp_path, feedback(prompts), limit=limit)
    counts = {split: item["rows"] for split, item in build(data, tmp_path)["splits"].items()}
    assert (counts["train"], counts["sft"], counts["validation"]) == (50, 50, 3)
    kept = contents(tmp_path, "train")
    assert kept == [text for text in prompts if text in set(kept)]
    assert kept != [text for text in prompts if bucket(text) < 800][:50]


def test_a_sample_is_drawn_by_seed_and_grows_by_addition() -> None:
    rows = [{"id": str(number)} for number in range(100)]
    few, more, others = sample(rows, 10, 0), sample(rows, 20, 0), sample(rows, 10, 1)
    assert {row["id"] for row in few} < {row["id"] for row in more}
    assert few != others
    assert sample(rows, None, 0) == rows == sample(rows, 1000, 0)


def test_scored_rows_get_a_pair_and_rows_that_compare_nothing_are_counted(tmp_path) -> None:
    lines = FOUR.read_text().splitlines()
    path = tmp_path / "four.jsonl"
    copies = [
        line.replace('"instruction": "', f'"instruction": "{n} ')
        for n in range(40)
        for line in lines
    ]
    path.write_text("\n".join(copies))
    record = build(FileData(source="ultrafeedback", path=str(path)), tmp_path)
    assert record["left_out"] == 40
    assert record["feedback"] == ["lists", "pairs", "singles"]
    for row in read_rows(tmp_path / "train.parquet"):
        assert row["scores"][row["chosen"]] == max(row["scores"])
        assert row["chosen"] != row["rejected"]


def test_documents_are_every_dialogue_in_the_models_own_format(tmp_path: Path, prompts) -> None:
    def render(messages: list[dict]) -> str:
        return "".join(f"<{message['role']}>{message['content']}" for message in messages)

    data = from_rows(tmp_path, feedback(prompts))
    build(data, tmp_path, render)
    written = read_rows(tmp_path / "pretrain.parquet")
    train = read_rows(tmp_path / "train.parquet")
    assert written == documents(train, render)
    assert len(written) == 2 * len(train)
    question = train[0]["prompt"][0]["content"]
    assert written[1] == {
        "id": f"{train[0]['id']}/1",
        "text": f"<user>{question}<assistant>bad",
    }


def test_undesirable_answers_are_not_demonstrated(tmp_path: Path, prompts) -> None:
    rows = [
        {"prompt": text, "completion": "c", "label": number % 2 == 0}
        for number, text in enumerate(prompts)
    ]
    record = build(from_rows(tmp_path, rows), tmp_path)
    train = read_rows(tmp_path / "train.parquet")
    assert record["feedback"] == ["singles"]
    desirable = [row["id"] for row in train if row["chosen"] is not None]
    assert [row["id"] for row in read_rows(tmp_path / "sft.parquet")] == desirable


def test_an_id_that_occurs_twice_is_refused(tmp_path: Path, prompts) -> None:
    data = from_rows(tmp_path, feedback(prompts, id="same"))
    with pytest.raises(DataError, match="1 ids are not unique, 'same' first"):
        build(data, tmp_path)


def test_a_split_without_rows_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows in .*validation.*5 % of prompts are validation"):
        build(from_rows(tmp_path, feedback(["only one"])), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_overlap_sees_through_case_and_spaces() -> None:
    def rows(*texts: str) -> list[dict]:
        return [{"prompt": [{"role": "user", "content": text}]} for text in texts]

    assert overlap(rows("A  b", "c"), rows("a b\n", "d")) == {"user : a b"}
    assert overlap(rows("a"), rows("b")) == set()
    clean = {"sft": rows("a"), "train": rows("a"), "validation": rows("b"), "test": rows("c")}
    refuse_leaks(clean)
    for leak in ({"sft": rows("c")}, {"train": rows("x", "B")}, {"validation": rows("C ")}):
        with pytest.raises(DataError, match="1 prompts of split '(test|validation)' are in"):
            refuse_leaks({**clean, **leak})


def test_a_world_that_leaks_is_refused_before_anything_is_written(tmp_path, monkeypatch) -> None:
    leaky = toyland.feedback
    monkeypatch.setattr(toyland, "feedback", lambda world, split: leaky(world, "test"))
    with pytest.raises(DataError, match="9 prompts of split 'validation' are in 'train' too"):
        build(TOYLAND, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_hh_rlhf_end_to_end(tmp_path: Path, shared_data: Path) -> None:
    path = str(shared_data / "hh_rlhf/harmless-base")
    record = build(FileData(source="hh_rlhf", path=path), tmp_path)
    counts = {split: item["rows"] for split, item in record["splits"].items()}
    assert counts["train"] + counts["validation"] + counts["test"] == 2312
    assert record["left_out"] == 0
    # 5 % and 15 % of 2312, within four standard deviations of a binomial count.
    assert abs(counts["validation"] - 116) < 42 and abs(counts["test"] - 347) < 69


def test_the_data_stage_never_loads_torch(tmp_path: Path) -> None:
    code = (
        "import sys, datasets, plumbline.data.build, plumbline.data.sources;"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
