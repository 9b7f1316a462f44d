"""A new method's two files, made from those of one that is there."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from plumbline import plugins
from plumbline.errors import ConfigError

#: A Python name in lower case, as a key of `methods:` and a folder of results.
NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Names that mean something else where methods are named.
TAKEN = {plugins.SFT, "relabel", "torch", "plumbline", "math"}

LOSS_HEAD = """\
# Made by `plumbline new-method` from {like}.py. Change what follows, then delete these lines:
#   title; paper, with its version; needs, coupled, exempt; oracle: what your test holds it against
#   axes: one word of each of contracts.AXES; fidelity: "unverified" where the equation was not read
#   the type of the batch and the hyperparameters, with the paper's defaults and their ranges
#   the docstring: first line, equation, Args, Returns, Numerics, Deviations, Limits, References,
#     and its example, whose number is worked by hand
#   the loss, with the equation's number beside the line that implements it
"""

TEST = '''\
"""{name}: made by `plumbline new-method`, when it still was `{like}`. Change what the tests say.

What belongs here: a number worked by hand from the paper's equation; losses and gradients computed
by somebody else, at hyperparameters that are not the defaults; value and gradient where policy and
reference agree; the limits in which the loss becomes another one that is there.
"""

from pathlib import Path

import pytest
import torch

from plumbline.check import examples
from plumbline.check.method import check_method, feedback_of
from plumbline.plugins import load_method, method_spec, read_method

FILE = Path(__file__).parents[{up}] / "{place}"


@pytest.fixture(scope="module")
def {name}():
    return load_method(read_method(FILE))


def test_contract({name}):
    """What `plumbline check` runs."""
    assert check_method({name}) == []


def test_by_hand({name}):
    """Change: until the loss is written it equals `{like}`; then put numbers of your own here."""
    other = load_method(method_spec("{like}"{folder}))
    batch = examples.random_batch(feedback_of({name}), seed=1)
    batch = examples.restricted(batch, {name}.card.needs)
    torch.testing.assert_close({name}(batch), other(batch))
'''


def run(name: str, like: str, folder: Path | None) -> None:
    """Write NAME.py and its test, and print where; into `folder`, or else into this checkout.

    ConfigError for a name that cannot be one or is taken, and where a file is there already.
    """
    folder = folder and folder.resolve()
    spec = plugins.method_spec(like, (folder,) if folder else ())
    refuse(name, [plugins.METHODS, *([folder] if folder else [])])
    root, loss, test = places(name, folder)
    for path in (root / loss, root / test):
        if path.exists():
            raise ConfigError(f"{path} is there already; nothing was written")
    (root / test).parent.mkdir(parents=True, exist_ok=True)
    source = renamed(spec.path.read_text(encoding="utf-8"), like, name)
    (root / loss).write_text(source, encoding="utf-8")
    own = ", (FILE.parent,)" if spec.path.parent == folder else ""
    up, place = len(test.parts) - 1, loss.as_posix()
    text = TEST.format(name=name, like=like, up=up, place=place, folder=own)
    (root / test).write_text(text, encoding="utf-8")
    print(f"{root / loss}: a copy of {like}; its first lines name what to change")
    print(f"{root / test}: its test, which says what belongs there")
    print(f"Then: plumbline check {root / loss}")


def refuse(name: str, folders: list[Path]) -> None:
    """ConfigError where no method can be called so."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot be a method's name; must be lower-case letters, digits and "
            "underscores, and begin with a letter: it names the file, the function and a folder"
        )
    known = {path.stem: path for folder in folders for path in plugins.names_in(folder)}
    if name in TAKEN or name in known:
        raise ConfigError(f"{name!r} is taken: {known.get(name, 'it means something else')}")


def places(name: str, folder: Path | None) -> tuple[Path, Path, Path]:
    """A folder, and where in it the method and its test go."""
    if folder:
        return folder, Path(f"{name}.py"), Path("tests", f"test_{name}.py")
    return plugins.HOME, Path("losses", f"{name}.py"), Path("tests", "losses", f"test_{name}.py")


def renamed(source: str, like: str, name: str) -> str:
    """The source of `like` under another name and title, headed by what to change."""
    own = re.compile(rf"(?<![\w.]){like}(?=\()")  # where it is defined and, in its example, called
    title = re.compile(r'(title=)"[^"]*"')
    head = LOSS_HEAD.format(like=like)
    return head + title.sub(rf'\1"{name.upper()}"', own.sub(name, source), count=1)
