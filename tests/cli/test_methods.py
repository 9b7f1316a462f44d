"""The list of methods: every file of `losses/` and of more folders, the broken ones with why."""

import json
import resource
import runpy
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from plumbline import plugins
from plumbline.cli.app import app
from plumbline.errors import MethodError

METHOD = """
from plumbline import Fraction, Lists, method


@method(
    title="[red]Mine[/red]",
    paper="arXiv:1234.56789v1",
    needs=("reference", "token_values"),
    exempt=(("toy_run", "it has no reason"),),
    fidelity="unverified",
)
def mine(batch: Lists, *, beta: Fraction = 1e-3):
    return batch
"""


@pytest.fixture
def lines(command):
    """What is printed, by the first word of each line."""

    def run(*words: object) -> dict[str, str]:
        found = (line.split() for line in command("methods", *words).splitlines())
        return {words[0]: " ".join(words) for words in found if words}

    return run


def test_every_file_of_losses_has_a_line(lines):
    found = lines()
    assert {path.stem for path in plugins.names_in(plugins.METHODS)} <= found.keys()
    assert found["dpo"] == (
        "dpo DPO pairs beta = 0.1 (> 0) reference arXiv:2305.18290v3 TRL `sigmoid`; mpmath "
        "pair-wise, offline, reference, general yes"
    )
    assert "temperature = 0.0001 (> 0)" in found["nca_list"] and "lists" in found["nca_list"]
    assert found["kto"].startswith("kto KTO singles beta = 0.1 (> 0), desirable_weight = 1 (> 0),")
    assert " reference, mismatched arXiv:2402.01306v4 TRL `kto`; mpmath " in found["kto"]


def test_sft_has_no_file_and_is_mentioned(lines):
    assert "without a file" in lines()["sft,"]


def test_folders_of_ones_own_come_after_losses(lines, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "mine.py").write_text(METHOD)
    shutil.copy(plugins.METHODS / "dpo.py", tmp_path / "two")
    (tmp_path / "two" / "_notes.py").write_text("no method")
    found = lines("--path", tmp_path / "one", "--path", tmp_path / "two")
    assert found["mine"] == (
        "mine [red]Mine[/red] lists beta = 0.001 (between 0 and 1) reference, token_values "
        "arXiv:1234.56789v1 no: fidelity: unverified"
    )
    assert list(found).index("mine") > list(found).index("pro_s") and "_notes" not in found


def test_json_has_all_that_a_file_says(command, tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    found = {item["name"]: item for item in json.loads(command("methods", "--json"))}
    assert list(found) == [path.stem for path in plugins.names_in(plugins.METHODS)]
    assert found["pro_b"]["hyperparameters"]["alpha"] == {"default": 2.5, "range": "> 0"}
    assert found["pro_b"]["optimum"] == "alpha > 1" and found["kto"]["coupled"] is True
    assert found["dpo"]["file"] == "losses/dpo.py" and found["dpo"]["unranked"] is None
    place = {"data": "point-wise", "framework": "offline", "constraint": "reference"}
    assert found["kto"]["axes"] == place | {"property": "imbalance"}
    [*_, mine] = json.loads(command("methods", "--json", "--path", tmp_path))
    assert mine["file"] == str(tmp_path / "mine.py") and mine["axes"] == {}
    assert mine["exempt"] == {"toy_run": "it has no reason"}
    assert mine["unranked"] == "fidelity: unverified"


def processor_seconds(code: str, *arguments: str) -> float:
    """Of a Python process, the least of three."""
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
        found.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return min(found)


def test_the_list_takes_little_more_than_its_libraries():
    """A ratio in one run, for machines differ; that it loads no torch: test_app.py."""
    libraries = processor_seconds("import typer, pydantic, rich, yaml, pyarrow.parquet")
    listed = processor_seconds("from plumbline.cli.app import main; main()", "methods")
    assert listed < 4 * libraries


@pytest.fixture(scope="module")
def fill(repository) -> dict:
    return runpy.run_path(str(repository / "docs" / "fill_methods.py"))


def test_the_page_is_made_of_the_files(fill):
    """docs/methods.md lags behind where `make docs` was not run."""
    specs = [plugins.read_method(path) for path in plugins.names_in(plugins.METHODS)]
    assert fill["PAGE"].read_text(encoding="utf-8") == fill["page"](specs)


def test_the_page_lists_every_exemption_with_its_reason(fill, tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    made = fill["page"]([plugins.read_method(tmp_path / "mine.py")])
    assert "| [mine](../losses/mine.py) | `toy_run` | it has no reason |" in made
    assert "[arXiv:1234.56789v1](https://arxiv.org/abs/1234.56789v1)" in made
    assert fill["page"]([plugins.method_spec("dpo")]).endswith("\n\nNone.\n")


def test_a_broken_file_is_listed_and_stops_nothing(tmp_path, repository):
    """The error comes after the list: main makes it a message and exit code 4."""
    shutil.copy(repository / "tests" / "check" / "broken" / "no_default.py", tmp_path)
    (tmp_path / "torn.py").write_text("def torn(:")
    (tmp_path / "mine.py").write_text(METHOD)
    done = CliRunner().invoke(app, ["methods", "--path", str(tmp_path)])
    text = " ".join(done.stdout.split())
    assert " mine " in text and " dpo " in text and " torn " not in text
    assert f"{tmp_path / 'no_default.py'}: beta must be a number, got None" in text
    assert f"{tmp_path / 'torn.py'}, line 1: invalid syntax" in text
    assert isinstance(done.exception, MethodError) and done.exception.exit_code == 4
    assert str(tmp_path / "torn.py") in str(done.exception)


def test_a_folder_that_is_not_there_is_a_mistake():
    done = CliRunner().invoke(app, ["methods", "--path", "absent"])
    assert done.exit_code == 2 and "does not exist" in " ".join(done.output.split())
