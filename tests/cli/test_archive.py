"""One archive of a run, its tables without torch, and two archives as one."""

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from finished_run import FILE, finish
from rocrate.rocrate import ROCrate

from plumbline.artifacts import file_digest, read_rows, write_rows
from plumbline.errors import IntegrityError
from plumbline.operate.archive import METADATA, pack, unpacked
from plumbline.provenance import machine, machine_words
from plumbline.rows import RESULT

#: Runs `plumbline` where what trains, answers and judges cannot be imported.
WITHOUT = """
import sys
ABSENT = {"torch", "transformers", "trl", "alpaca_eval", "lm_eval", "fastchat", "rocrate"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from plumbline.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a finished run and its archive."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("run")
        patch.chdir(folder)
        finish()
        yield folder


@pytest.fixture(scope="module")
def crate(place, command) -> Path:
    command("export", "tiny.yaml", "run.zip")
    return place / "run.zip"


def read(path: Path, name: str) -> bytes:
    with ZipFile(path) as archive:
        return archive.read(name)


def tables_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_tables_come_out_again_byte_for_byte_where_there_is_no_torch(place, crate, tmp_path):
    subprocess.run(
        [sys.executable, "-c", WITHOUT, "tables", str(crate), "out"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    made = tables_of(tmp_path / "out")
    assert made == tables_of(place / "results/experiments/tiny/tables")
    assert {"small/table1.md", "small/numbers.csv", "small/validation_grid.csv"} <= made.keys()


def test_the_blocker_blocks():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.replace("main()", "import torch")], capture_output=True
    )
    assert done.returncode == 1 and b"ModuleNotFoundError: torch" in done.stderr


def test_the_same_run_is_the_same_archive(crate, tmp_path, command):
    command("export", "tiny.yaml", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == crate.read_bytes()


def test_an_archive_holds_no_model_and_no_text(crate):
    with ZipFile(crate) as archive:
        names = archive.namelist()
    assert not [name for name in names if "responses" in name or "/model/" in name]
    assert not [name for name in names if "judgments" in name or name.endswith(".safetensors")]
    assert {"Snakefile", "losses/dpo.py", "benchmarks/toyland.py"} <= set(names)
    assert any(name.endswith("runs/dpo/beta=0.1/seed=1/run.json") for name in names)


def test_texts_come_along_where_they_are_asked_for(place, tmp_path, command):
    command("export", "tiny.yaml", tmp_path / "all.zip", "--responses", "--judgments")
    with ZipFile(tmp_path / "all.zip") as archive:
        names = archive.namelist()
    assert "judgments.jsonl" in names and any("/responses/test/" in name for name in names)


def test_a_foreign_reader_finds_workflow_action_and_files(crate):
    """Source: the library that reads RO-Crates, and the Workflow Run Crate profile 0.5."""
    found = ROCrate(crate)
    assert found.mainEntity.id == "Snakefile"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(found.mainEntity.type)
    profiles = {item.id for item in found.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    [action] = found.get_by_type("CreateAction")
    assert action in found.root_dataset["mentions"] and action["instrument"] is found.mainEntity
    assert action["startTime"] <= action["endTime"]
    inputs = {item.id for item in action["object"]}
    assert {"experiments/tiny.json", "losses/dpo.py"} <= inputs
    results = {item.id for item in action["result"]}
    assert "results/experiments/tiny/rows.parquet" in results and not results & inputs
    assert [item["name"] for item in action["agent"]] == [machine_words(machine())]
    software = {
        item["name"]: item["softwareVersion"] for item in found.mainEntity["softwareRequirements"]
    }
    assert software["torch"].startswith("2.") and "python" in software


def test_metadata_are_json_ld_of_one_graph(crate):
    """Source: JSON-LD 1.1: every reference leads to an entity of the graph or is an address."""
    graph = json.loads(read(crate, "ro-crate-metadata.json"))["@graph"]
    names = {entity["@id"] for entity in graph}
    assert len(names) == len(graph)
    values = [value for entity in graph for value in entity.values()]
    lists = [value if isinstance(value, list) else [value] for value in values]
    links = [item["@id"] for value in lists for item in value if isinstance(item, dict)]
    assert [link for link in links if link not in names and "://" not in link] == []


def test_a_run_that_is_not_finished_is_not_exported(tmp_path, monkeypatch, command, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text((place / "tiny.yaml").read_text())
    with pytest.raises(IntegrityError, match="snakemake --configfile tiny.yaml"):
        command("export", "tiny.yaml", "run.zip")


def test_tables_that_are_not_of_the_rows_are_not_exported(place, tmp_path, command):
    table = place / "results/experiments/tiny/tables/small/table1.md"
    before = table.read_text()
    table.write_text(before.replace("DPO", "KTO"))
    with pytest.raises(IntegrityError, match="table1.md is not what tiny.yaml"):
        command("export", "tiny.yaml", tmp_path / "run.zip")
    table.write_text(before)


# Two archives as one

KTO = {"sft": {}, "kto": {"beta": [0.1, 0.3]}}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch, command):
    """A function that runs the experiment in another place, with changes, and gives its archive."""

    def run(**changes) -> Path:
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            finish(**changes)
            command("export", "tiny.yaml", "run.zip")
        return folder / "run.zip"

    return run


@pytest.fixture
def merged(crate, tmp_path, command):
    """A function that merges an archive into the first, and gives what was said and the tables."""

    def run(other: Path) -> tuple[str, dict[str, str]]:
        out = tmp_path / "both.zip"
        said = command("merge", crate, other, out)
        command("tables", out, tmp_path / "tables")
        ROCrate(out)
        return said, {name: text.decode() for name, text in tables_of(tmp_path / "tables").items()}

    return run


def lines_of(table: str) -> list[str]:
    """The methods of a Markdown table, from top to bottom."""
    return [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")][2:]


def test_methods_run_in_two_places_stand_in_one_table(crate, elsewhere, merged):
    said, tables = merged(elsewhere(methods=KTO))
    assert "small of tiny joins tiny" in said
    assert lines_of(tables["small/table1.md"]) == ["SFT", "DPO", "KTO"]
    assert lines_of(tables["small/validation_grid.md"]) == ["SFT", "DPO", "KTO"]
    first = read(crate, "results/experiments/tiny/tables/small/numbers.csv").decode()
    assert set(first.splitlines()) < set(tables["small/numbers.csv"].splitlines())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": "other"}, "another data digest"),
        ({"sft": "other"}, "another SFT model"),
        ({"version": "2"}, "another judge of mt_bench: toyland-gold 1 against toyland-gold 2"),
        ({"benchmarks": {"toyland": {"limit": 5}, "mt_bench": {}}}, "another code or options"),
        ({"grid_points": 3}, "another grid_points: 2 against 3"),
        ({"tested": "grid"}, "another tested: selected against grid"),
    ],
)
def test_what_is_not_comparable_stays_apart_and_says_why(changes, reason, elsewhere, merged):
    said, tables = merged(elsewhere(methods=KTO, **changes))
    assert f"small of tiny stays apart as small_2 of tiny_2: {reason}" in said
    assert lines_of(tables["small/table1.md"]) == ["SFT", "DPO"]
    assert lines_of(tables["small_2/table1.md"]) == ["SFT", "KTO"]
    assert f"**Kept apart.** {reason}" in tables["small_2/table1.md"]


def test_another_setting_stays_apart(elsewhere, merged):
    settings = yaml.safe_load(FILE)["settings"]
    settings["small"]["align"]["learning_rate"] = 0.002
    said, tables = merged(elsewhere(settings=settings))
    assert "the first archive has no such setting" in said and "small_2/table1.md" in tables


def test_an_archive_merged_with_itself_has_the_same_tables(crate, merged, place):
    _, tables = merged(crate)
    own = tables_of(place / "results/experiments/tiny/tables")
    assert {name: text.encode() for name, text in tables.items()} == own


def test_two_numbers_of_one_cell_are_an_error_that_names_it(crate, elsewhere, command, tmp_path):
    other = elsewhere()
    tamper(other, "results/experiments/tiny/rows.parquet", half)
    with pytest.raises(IntegrityError, match=r"dpo / beta=0.1 / 0 / validation / .* on value"):
        command("merge", crate, other, tmp_path / "both.zip")


def half(path: Path) -> None:
    """Halve the values of DPO in a file of rows."""
    rows = read_rows(path)
    for row in rows:
        row["value"] /= 2 if row["method"] == "dpo" else 1
    write_rows(path, rows, RESULT)


def tamper(path: Path, name: str, change) -> None:
    """Change a file of an archive and its digest in the metadata."""
    with unpacked(path) as folder:
        before = file_digest(folder / name)
        change(folder / name)
        text = (folder / METADATA).read_text().replace(before, file_digest(folder / name))
        files = [item for item in folder.rglob("*") if item.is_file() and item.name != METADATA]
        pack(path, {str(item.relative_to(folder)): item for item in files}, text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": {"sft": {}, "dpo": {"beta": [0.1, 0.5]}}}, "methods.dpo: .*`like`"),
        ({"seeds": [0, 2]}, "selection/tiny/dpo.json: the two archives"),
    ],
)
def test_one_name_for_two_things_is_an_error(changes, message, crate, elsewhere, command, tmp_path):
    with pytest.raises(IntegrityError, match=message):
        command("merge", crate, elsewhere(**changes), tmp_path / "both.zip")


def test_a_file_that_tables_need_is_named(crate, tmp_path, command):
    copy = tmp_path / "run.zip"
    with unpacked(crate) as folder:
        (folder / "results/experiments/tiny/rows.parquet").unlink()
        graph = json.loads((folder / METADATA).read_text())["@graph"]
        kept = [item for item in graph if "tiny/rows.parquet" not in item["@id"]]
        files = [item for item in folder.rglob("*") if item.is_file() and item.name != METADATA]
        names = {str(item.relative_to(folder)): item for item in files}
        pack(copy, names, json.dumps({"@graph": kept}))
    with pytest.raises(IntegrityError, match="lacks a file .*tiny/rows.parquet"):
        command("tables", copy, tmp_path / "out")


def doubled(path: Path) -> None:
    """Change a method's formula."""
    path.write_text(path.read_text().replace("beta *", "2 * beta *", 1))


def commented(path: Path) -> None:
    path.write_text(path.read_text() + "# Theirs.\n")


def test_other_code_under_one_name_is_an_error(crate, elsewhere, command, tmp_path):
    other = elsewhere()
    tamper(other, "losses/dpo.py", doubled)
    with pytest.raises(IntegrityError, match="methods.dpo: .* other code"):
        command("merge", crate, other, tmp_path / "both.zip")


def test_what_the_first_has_otherwise_is_kept_beside_it(crate, elsewhere, merged, tmp_path):
    other = elsewhere(methods=KTO)
    tamper(other, "benchmarks/toyland.py", commented)
    merged(other)
    assert read(tmp_path / "both.zip", "also/benchmarks/toyland.py").endswith(b"# Theirs.\n")
    mine = read(crate, "benchmarks/toyland.py")
    assert read(tmp_path / "both.zip", "benchmarks/toyland.py") == mine


def test_a_merged_archive_merges_again(crate, elsewhere, merged, command, tmp_path):
    merged(elsewhere(methods=KTO, data="other"))
    command("merge", tmp_path / "both.zip", crate, tmp_path / "three.zip")
    command("tables", tmp_path / "three.zip", tmp_path / "again")
    assert tables_of(tmp_path / "again") == tables_of(tmp_path / "tables")


def test_tables_that_an_archive_does_not_give_are_an_error(crate, tmp_path, command):
    copy = tmp_path / "run.zip"
    copy.write_bytes(crate.read_bytes())
    tamper(copy, "results/experiments/tiny/rows.parquet", half)
    with pytest.raises(IntegrityError, match=r"(\d+) of \1 tables .* are not the archive's own"):
        command("tables", copy, tmp_path / "out")
