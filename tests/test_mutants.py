"""The changes of `make mutants`: every term of a loss and no other thing, and the account."""

import ast
import subprocess
import sys

import mutants
import pytest
from mutations import mutations

from plumbline.plugins import METHODS, names_in

SOURCE = '''
from torch import where
from plumbline import Pairs, Positive, method

@method(title="T", paper="P", needs=("reference",))
def loss(batch: Pairs, *, beta: Positive = 0.5):
    """Not 1 + 1."""
    return {body}
'''


def changes(body: str) -> set[str]:
    """The changes of an expression."""
    found = mutations(SOURCE.format(body=body))
    assert all(item.line == 8 for item in found if item.before != "0.5")
    return {str(item) for item in found} - {"0.5 -> 1.0"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a + b", {"(a)", "(b)", "(a) - (b)"}),
        ("a - b", {"(a)", "-(b)", "(a) + (b)", "(b) - (a)"}),
        ("a * b", {"(a)", "(b)"}),
        ("a / b", {"(a)", "(a) * (b)"}),
        ("-a", {"a"}),
        ("~a", {"a"}),
        ("a < b", {"a >= b"}),
        ("where(a, b, c)", {"b", "c", "where(a, c, b)"}),
        ("logsigmoid(a)", {"logsigmoid(-(a))", "(a)"}),
        ("a.sigmoid()", {"(-(a)).sigmoid()", "(a)"}),
        ("a.detach()", {"(a)"}),
    ],
)
def test_what_is_put_in_the_place_of_an_expression(body, expected):
    assert changes(body) == {f"{body} -> {text}" for text in expected}


def test_what_is_put_in_the_place_of_its_parts():
    assert changes("a ** 2") == {"a ** 2 -> (a)", "2 -> 2 * 2"}
    assert changes("beta") == {"beta -> 2 * beta"}
    assert changes("f(0, True)") == {"0 -> 1", "True -> False"}
    found = changes("a.clamp(min=0, max=b)")
    assert {"a.clamp(min=0, max=b) -> a.clamp(min=0)", "0 -> 1"} <= found
    assert "batch.chosen.logratio -> batch.chosen.policy" in changes("batch.chosen.logratio")
    assert "batch.chosen -> batch.rejected" in changes("batch.chosen.logratio")
    assert "batch.desirable -> ~batch.desirable" in changes("f(batch.desirable)")
    assert "(a * b).sum -> (a * b).mean" in changes("(a * b).sum(-1)")


def test_defaults_are_doubled_and_stay_literals():
    [found] = [item for item in mutations(SOURCE.format(body="batch")) if item.before == "0.5"]
    assert "beta: Positive = (1.0)" in found.source


def test_what_says_where_and_what_is_not_code_stays():
    assert changes("a.sum(-1)") == {"a.sum -> a.mean"}
    assert changes("a.unsqueeze(1)[:, 2]") == changes("a.argsort(stable=True)") == set()
    assert "a - b -> (b) - (a)" not in changes("(a - b) ** 2")
    for item in mutations(SOURCE.format(body="batch.chosen.policy - batch.rejected.policy")):
        before, after = (ast.parse(text).body[-1] for text in (SOURCE, item.source))
        assert ast.dump(before.decorator_list[0]) == ast.dump(after.decorator_list[0])
        assert ast.get_docstring(before) == ast.get_docstring(after)


@pytest.mark.parametrize("path", names_in(METHODS), ids=lambda path: path.stem)
def test_every_change_is_another_program(path):
    source = path.read_text(encoding="utf-8")
    found = [ast.dump(ast.parse(item.source)) for item in mutations(source)]
    assert len(found) > 2 and len({*found, ast.dump(ast.parse(source))}) == len(found) + 1


def test_the_account_names_what_was_not_noticed(capsys, tmp_path):
    path = tmp_path / "losses" / "pro_s.py"
    [same] = mutants.EQUIVALENT["pro_s"]
    found = mutations((METHODS / "pro_s.py").read_text())
    results = ["" if str(item) == same else "test" for item in found]
    results[0], results[1] = "contract", ""
    lines = mutants.report(path, found, results, 2.0)
    assert lines == [
        f"  losses/pro_s.py:{found[0].line}: only the contract noticed: {found[0]}",
        f"  losses/pro_s.py:{found[1].line}: survived: {found[1]}",
    ]
    head = f"pro_s: {len(found)} changes, 2 not noticed by its test, 1 change nothing; 2 s"
    assert capsys.readouterr().out.splitlines() == [head, *lines]


def test_changes_that_change_nothing_are_still_changes():
    for name, known in mutants.EQUIVALENT.items():
        found = {str(item) for item in mutations((METHODS / f"{name}.py").read_text())}
        assert known.keys() <= found, name


def test_a_whole_run():
    """NCA on lists, whose test needs no TRL."""
    command = [sys.executable, mutants.__file__, "nca_list", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("nca_list: 25 changes, 0 not noticed by its test")
