"""Plug-in files are found, read without being run, and told apart by their code alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import plugins
from plumbline.errors import ConfigError, MethodError

METHOD = '''
from torch import Tensor

from plumbline import Fraction, Pairs, Positive, method


@method(title="Mine", paper="arXiv:1234.56789v1", needs=("reference",), optimum="alpha * n > 1")
def mine(batch: Pairs, *, beta: Positive = 0.1, alpha: Fraction = 0.5) -> Tensor:
    """One line."""
    # a comment
    margin = beta * (batch.chosen.logratio - batch.rejected.logratio)
    return -alpha * margin
'''
BENCHMARK = """
from plumbline import Data, Metric, Responses, benchmark


@benchmark(
    title="Bench", version="3", judged=True, splits=("validation", "test"),
    metrics=(Metric("right", "higher", "%", 0, 100), Metric("wrong", better="lower", unit="%",
             low=0, high=100)),
)
def score(responses: Responses, judge, *, strict: bool = True) -> list:
    return []


def prompts(data: Data, split: str, *, limit: int = 3) -> list:
    return []


def _hidden(*, secret: int = 0) -> None:
    pass
"""


@pytest.fixture
def method(tmp_path):
    """Read METHOD, or an edit of it, as the file mine.py."""

    def read(*edits: tuple[str, str]) -> plugins.MethodSpec:
        source = METHOD
        for before, after in edits:
            assert before in source
            source = source.replace(before, after)
        (tmp_path / "mine.py").write_text(source)
        return plugins.read_method(tmp_path / "mine.py")

    return read


def test_a_method_file_says_what_it_is(method):
    spec = method()
    assert (spec.name, spec.feedback) == ("mine", "pairs")
    assert spec.card.title == "Mine" and spec.card.needs == ("reference",)
    assert spec.card.coupled is False
    assert spec.hyperparameters == (
        plugins.Hyperparameter("beta", 0.1, "Positive"),
        plugins.Hyperparameter("alpha", 0.5, "Fraction"),
    )


def test_a_benchmark_file_says_what_it_is(tmp_path):
    path = tmp_path / "bench.py"
    path.write_text(BENCHMARK)
    spec = plugins.read_benchmark(path)
    assert (spec.name, spec.needs, spec.card.version) == ("bench", "responses", "3")
    assert spec.card.judged and spec.card.splits == ("validation", "test")
    assert [(item.name, item.better) for item in spec.card.metrics] == [
        ("right", "higher"),
        ("wrong", "lower"),
    ]
    assert spec.option_names() == {"strict", "limit"}, "private functions take no options"
    given = {"strict": False, "limit": 5}
    assert spec.options_for("score", given) == {"strict": False}
    assert spec.options_for("prompts", given) == {"limit": 5}
    assert spec.options_for("summarise", given) == {}


def test_functions_called_by_hand_give_an_experiment_no_options(tmp_path):
    path = tmp_path / "bench.py"
    path.write_text(BENCHMARK + "\n\ndef rescore(*, judgments) -> list:\n    return []\n")
    spec = plugins.read_benchmark(path)
    assert spec.options["rescore"] == ("judgments",)
    assert spec.option_names() == {"strict", "limit"}


def test_a_benchmarks_own_module_lies_in_its_folder(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "reading.py").write_text("NAME = __name__\n")
    module = plugins.beside(str(tmp_path / "bench.py"), "reading")
    assert module.NAME in sys.modules and "reading" not in sys.modules


@pytest.mark.parametrize("name", ["Pairs", "Singles", "Lists"])
def test_the_first_argument_says_the_feedback(method, name):
    spec = method(("batch: Pairs", f"batch: {name}"), (" Pairs,", f" {name},"))
    assert spec.feedback == name.lower()


def test_needs_say_which_reference_files_are_read(method):
    assert method().references == ["pairs"]
    edit = ('needs=("reference",)', 'needs=("reference", "traceless")')
    assert method(edit).references == ["pairs", "traceless"]


def test_whether_an_optimum_exists_is_read_from_the_file(method):
    """The example's condition is alpha * n > 1, with alpha 0.5 by default."""
    spec = method()
    assert [spec.unbounded({}, responses) for responses in (1, 2, 3)] == [True, True, False]
    assert [spec.unbounded({"alpha": 0.2}, n) for n in (5, 6)] == [True, False]
    assert not method((', optimum="alpha * n > 1"', "")).unbounded({"alpha": 0.0}, 1)


# The digest


@pytest.mark.parametrize(
    "edit",
    [
        ("# a comment", "# quite another comment\n\n    # and one more"),
        ('"""One line."""', '"""Two\n\n    lines."""'),
        ('    """One line."""\n', ""),
        ("from torch", '"""The module."""\n\nfrom torch'),
        ('title="Mine", ', '\n    title="Mine",\n    '),
        ('"Mine"', "'Mine'"),
        ("    return -alpha * margin", "    return (-alpha * margin)  # Eq. (1)"),
        ("0.1, alpha", "1e-1, alpha"),
    ],
    ids=[
        "comment",
        "docstring",
        "no docstring",
        "module docstring",
        "layout",
        "quotes",
        "brackets",
        "same number",
    ],
)
def test_an_edit_that_changes_no_code_keeps_the_digest(method, edit):
    assert method(edit).digest == method().digest


@pytest.mark.parametrize(
    "edit",
    [
        ("return -alpha * margin", "return alpha * margin"),
        ("return -alpha * margin", "return margin * -alpha"),
        ("beta * (", "beta ** 2 * ("),
        ("chosen.logratio -", "chosen.logratio +"),
        ("Positive = 0.1", "Positive = 0.2"),
        ("Positive = 0.1", "Real = 0.1"),
        ('needs=("reference",)', "needs=()"),
        ("    return", '    "a" + "b"\n    return'),
    ],
)
def test_an_edit_of_the_formula_changes_the_digest(method, edit):
    assert method(edit).digest != method().digest


def test_a_digest_does_not_depend_on_where_the_file_lies(method, tmp_path):
    other = tmp_path / "elsewhere" / "mine.py"
    other.parent.mkdir()
    other.write_text(METHOD)
    assert plugins.read_method(other).digest == method().digest


def test_a_benchmark_is_also_the_folder_beside_it(tmp_path):
    """A judge's prompt text decides numbers as much as code does."""
    path = tmp_path / "bench.py"
    path.write_text(BENCHMARK)
    digests = [plugins.read_benchmark(path).digest]
    (tmp_path / "bench").mkdir()
    for text in ("Rate it.", "Rate it kindly."):
        (tmp_path / "bench" / "prompt.txt").write_text(text)
        digests.append(plugins.read_benchmark(path).digest)
    assert len(set(digests)) == 3


# Files that break the contract


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("def mine(", "def yours("), "called 'yours', not 'mine'"),
        (("@method(", "@mehtod("), "0 functions are marked @method; must be one"),
        (("def mine(", "def other():\n    pass\n\n\ndef mine("), "called 'other'"),
        (("batch: Pairs", "batch"), "first argument has no type"),
        (("batch: Pairs", "batch: Tensor"), "is a Tensor; must be Pairs or Singles or Lists"),
        (('title="Mine"', "title=NAME"), "literals only"),
        (('title="Mine"', "title=str(1)"), "literals only"),
        (('title="Mine"', 'tilte="Mine"'), "tilte"),
        (('title="Mine", ', ""), "title"),
        (("Positive = 0.1", "Positive = DEFAULT"), "beta's default is DEFAULT"),
        (("    return", "    return return"), "line 12"),
    ],
)
def test_a_broken_method_file_is_told_what_is_wrong(method, edit, words):
    with pytest.raises(MethodError, match="mine.py") as caught:
        method(edit)
    assert words in str(caught.value)


def test_a_file_that_is_not_utf_8_breaks_the_contract(tmp_path):
    (tmp_path / "mine.py").write_bytes("# é\n".encode("latin-1"))
    with pytest.raises(MethodError, match="mine.py must be UTF-8: .*position 2"):
        plugins.read_method(tmp_path / "mine.py")


def test_two_decorated_functions_are_one_too_many(method):
    body = METHOD[METHOD.index("@method") :]
    with pytest.raises(MethodError, match="2 functions are marked @method; must be one"):
        method(("    return -alpha * margin\n", "    return -alpha * margin\n\n\n" + body))


def test_an_unknown_annotation_is_told_to_who_sets_the_value(method):
    """A file may be read with it; the contract's check and the config refuse it in words."""
    spec = method(("beta: Positive", "beta: Postive"))
    problem = spec.hyperparameters[0].problem(0.1)
    assert "Postive" in problem and "Positive or NonNegative or Fraction or Real" in problem


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("Responses, judge", "Answers, judge"), "must be Responses or Model"),
        (('"higher"', "BETTER"), "literals only"),
        (("@benchmark", "@benchmrk"), "0 functions are marked @benchmark"),
    ],
)
def test_a_broken_benchmark_file_is_told_what_is_wrong(tmp_path, edit, words):
    path = tmp_path / "bench.py"
    path.write_text(BENCHMARK.replace(*edit))
    with pytest.raises(MethodError, match="bench.py") as caught:
        plugins.read_benchmark(path)
    assert words in str(caught.value)


# Finding and loading


def test_unknown_names_are_told_the_nearest():
    with pytest.raises(ConfigError, match="unknown method 'pro-p': did you mean 'pro_p'"):
        plugins.method_spec("pro-p")
    with pytest.raises(ConfigError, match="unknown benchmark 'mtbench': did you mean 'mt_bench'"):
        plugins.benchmark_spec("mtbench")
    with pytest.raises(ConfigError, match="unknown method 'qqq': known: ") as caught:
        plugins.method_spec("qqq")
    assert "dpo" in str(caught.value)


def test_a_users_own_folder(tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    (tmp_path / "_private.py").write_text("this is not Python")
    assert plugins.method_spec("mine", (tmp_path,)).path == tmp_path / "mine.py"
    with pytest.raises(ConfigError, match="'mime': did you mean 'mine'"):
        plugins.method_spec("mime", (tmp_path,))
    assert [path.name for path in plugins.names_in(tmp_path)] == ["mine.py"]


def test_a_name_that_ships_is_not_silently_taken_instead_of_the_users(tmp_path):
    (tmp_path / "dpo.py").write_text((plugins.METHODS / "dpo.py").read_text())
    with pytest.raises(ConfigError, match="'dpo' is ambiguous.*rename one") as caught:
        plugins.method_spec("dpo", (tmp_path,))
    assert str(tmp_path / "dpo.py") in str(caught.value)


def test_two_files_of_one_name_do_not_clash(tmp_path):
    for value in (1, 2):
        folder = tmp_path / str(value)
        folder.mkdir()
        (folder / "mine.py").write_text(METHOD + f"\n\nVALUE = {value}\n")
    specs = [plugins.read_method(tmp_path / str(value) / "mine.py") for value in (1, 2)]
    losses = [plugins.load_method(spec) for spec in specs]
    assert [loss.__globals__["VALUE"] for loss in losses] == [1, 2]
    assert [sys.modules[loss.__module__].VALUE for loss in losses] == [1, 2]


def test_a_traceback_names_the_true_file(method, tmp_path):
    loss = plugins.load_method(method(("return -alpha", "return 1 / 0 - alpha")))
    with pytest.raises(AttributeError) as caught:
        loss(None)
    assert Path(caught.traceback[-1].path) == tmp_path / "mine.py"


def test_what_is_read_is_what_is_run():
    """The card read from the syntax tree is the one the decorator leaves, for every file."""
    for path in plugins.names_in(plugins.METHODS):
        spec = plugins.read_method(path)
        assert plugins.load_method(spec).card == spec.card, path
    for path in plugins.names_in(plugins.BENCHMARKS):
        spec = plugins.read_benchmark(path)
        assert plugins.load_benchmark(spec).score.card == spec.card, path


LIST = """
import sys
from plumbline import plugins
from plumbline.errors import MethodError
for path in plugins.names_in(plugins.METHODS):
    plugins.read_method(path)
for path in plugins.names_in(plugins.BENCHMARKS):
    plugins.read_benchmark(path)
heavy = {"torch", "transformers", "numpy", "pandas", "alpaca_eval", "lm_eval", "fastchat"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_listing_imports_neither_torch_nor_any_evaluator():
    done = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    assert set(eval(done.stdout)) <= {"numpy"}, "pyarrow may bring numpy, nothing brings torch"
