"""`plumbline new-method`: two files that hold the contract and say what to change in them."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from plumbline import plugins
from plumbline.cli import new_method
from plumbline.cli.app import app
from plumbline.cli.check import examined
from plumbline.plugins import METHODS, method_spec, read_method


@pytest.mark.parametrize("like", ["dpo", "kto", "pro_s", "power_dl"])
def test_a_new_file_holds_the_contract(command, tmp_path, like):
    said = command("new-method", "my_own", "--like", like, "--path", tmp_path)
    spec, model = read_method(tmp_path / "my_own.py"), method_spec(like)
    assert examined(spec.path)[0] == []
    assert spec.feedback == model.feedback and spec.hyperparameters == model.hyperparameters
    assert spec.card.title == "MY_OWN" and f"plumbline check {tmp_path / 'my_own.py'}" in said
    head = spec.path.read_text().split("from torch")[0]
    assert f"from {like}.py" in head and "oracle" in head and "equation's number" in head


def test_its_test_passes_and_knows_its_place(command, tmp_path):
    command("new-method", "first", "--like", "dpo", "--path", tmp_path)
    command("new-method", "second", "--like", "first", "--path", tmp_path)
    tests = [str(tmp_path / "tests" / f"test_{name}.py") for name in ("first", "second")]
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests], capture_output=True, text=True
    )
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout
    assert [path.stem for path in plugins.names_in(tmp_path)] == ["first", "second"]


def test_its_test_fails_once_the_loss_is_another(command, tmp_path):
    command("new-method", "mine", "--path", tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(path.read_text().replace("-logsigmoid(margin)  #", "2 - logsigmoid(margin)  #"))
    test = [sys.executable, "-m", "pytest", "-q", str(tmp_path / "tests"), "-k", "by_hand"]
    assert subprocess.run(test, capture_output=True, check=False).returncode == 1


def test_without_a_folder_it_goes_beside_ours(monkeypatch, tmp_path, command):
    """Into a checkout: here one that has nothing but losses/dpo.py."""
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "dpo.py").write_text((METHODS / "dpo.py").read_text())
    monkeypatch.setattr(plugins, "HOME", tmp_path)
    monkeypatch.setattr(plugins, "METHODS", tmp_path / "losses")
    command("new-method", "mine", "--like", "dpo")
    assert read_method(tmp_path / "losses" / "mine.py").name == "mine"
    test = (tmp_path / "tests" / "losses" / "test_mine.py").read_text()
    assert 'Path(__file__).parents[2] / "losses/mine.py"' in test


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dpo", "'dpo' is taken: "),
        ("sft", "'sft' is taken: it means something else"),
        ("My_Own", "'My_Own' cannot be a method's name"),
        ("2dpo", "'2dpo' cannot be a method's name"),
        ("my-own", "'my-own' cannot be a method's name"),
        ("../own", "'../own' cannot be a method's name"),
        ("lambda", "'lambda' cannot be a method's name"),
        ("_own", "'_own' cannot be a method's name"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, name, sentence):
    done = CliRunner().invoke(app, ["new-method", name, "--path", str(tmp_path)])
    assert done.exception.exit_code == 2 and sentence in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_is_refused_with_the_nearest(tmp_path):
    done = CliRunner().invoke(
        app, ["new-method", "mine", "--like", "dpoo", "--path", str(tmp_path)]
    )
    assert "did you mean 'dpo'?" in str(done.exception) and list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mine.py").write_text("kept")
    done = CliRunner().invoke(app, ["new-method", "mine", "--path", str(tmp_path)])
    assert "test_mine.py is there already; nothing was written" in str(done.exception)
    assert not (tmp_path / "mine.py").exists()
    assert (tmp_path / "tests" / "test_mine.py").read_text() == "kept"


def test_only_the_methods_own_name_changes():
    source = 'title="A"\ndef dpo(batch): ...\n>>> dpo(1)\nsee `dpo`; trl.dpo(2); my_dpo(3)\n'
    found = new_method.renamed(source, "dpo", "new").split("\n", 8)[-1]
    assert 'title="NEW"' in new_method.renamed(source, "dpo", "new")
    assert "def new(batch)" in found and ">>> new(1)" in found
    assert "see `dpo`; trl.dpo(2); my_dpo(3)" in found
