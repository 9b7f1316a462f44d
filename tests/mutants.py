"""`make mutants METHODS="dpo kto"`: which small changes of a loss does its test not notice?

Every change of `mutations` in turn is put in the place of the file, in a process of its own, and
the file's test and then the contract run on it. What survives both is listed with its line; what
only the contract noticed is, too: a file's own test should know its loss. Exit code 1 if any did.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
from hypothesis import find, settings
from hypothesis.strategies import integers
from mutations import Mutation, mutations

from plumbline import plugins
from plumbline.check.method import check_method
from plumbline.errors import PlumblineError

TESTS = Path(__file__).resolve().parent / "losses"
#: Changes that change nothing: method -> {change: why}.
EVEN = "the regularizer is even in the difference"
EQUIVALENT: dict[str, dict[str, str]] = {
    "dynamic_po": {
        "1e-08 -> 2 * 1e-08": "tanh is at its end wherever the clamp is reached",
        "((values - mean) ** 2 * members).sum -> ((values - mean) ** 2 * members).mean": (
            "the spreads that are compared have as many terms each"
        ),
        "(values * members).sum -> (values * members).mean": (
            "squares about a share of the mean are a rising function of those about the mean, as "
            "the squares of all values are the same for every cut"
        ),
    },
    "lipo": {
        "discount.unsqueeze(-1) - discount.unsqueeze(-2) -> "
        "(discount.unsqueeze(-2)) - (discount.unsqueeze(-1))": "its absolute value is taken"
    },
    "pro": {
        "reward[:, first] - reward[:, second] -> (reward[:, second]) - (reward[:, first])": EVEN
    },
    "pro_b_hyper": {"reward - hyper -> (hyper) - (reward)": EVEN},
    "pro_hyper": {
        "reward[:, first] - reward[:, second] -> (reward[:, second]) - (reward[:, first])": EVEN,
        "reward - hyper.unsqueeze(-1) -> (hyper.unsqueeze(-1)) - (reward)": EVEN,
    },
    "pro_p_hyper": {
        "beta * chosen.logratio - hyper -> (hyper) - (beta * chosen.logratio)": EVEN,
        "beta * rejected.logratio - hyper -> (hyper) - (beta * rejected.logratio)": EVEN,
    },
    "pro_s": {
        "rewards[:, first] - rewards[:, second] -> (rewards[:, second]) - (rewards[:, first])": EVEN
    },
    "wpo": {"ratios * column.token_mask -> (ratios)": "both ratios' terms are zero on padding"},
}
OPTIONS = """
    -x -q --timeout=60 --hypothesis-profile=mutants
    -p no:cacheprovider -p no:xdist -p no:unraisableexception -p no:threadexception
""".split()
#: Examples of a property: fewer than in the tests' own runs, the same in every process.
EXAMPLES = 20


def main() -> int:
    """Run the changes of the methods named on the command line, or of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", help="names; all of losses/ if none")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    names = given.methods or [path.stem for path in plugins.names_in(plugins.METHODS)]
    paths = [plugins.method_spec(name).path for name in names]
    prepare(paths)
    survived = [change for path in paths for change in examine(path, given.jobs)]
    return 1 if survived else 0


def prepare(paths: list[Path]) -> None:
    """What every process would otherwise load again."""
    torch.set_num_threads(1)
    profile = {"max_examples": EXAMPLES, "derandomize": True, "database": None, "deadline": None}
    settings.register_profile("mutants", **profile)
    if any("trl" in own_test(path).read_text() for path in paths):
        from trl import DPOTrainer, KTOTrainer  # noqa: F401
        from trl.experimental.cpo import CPOTrainer  # noqa: F401
        from trl.experimental.orpo import ORPOTrainer  # noqa: F401
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*OPTIONS, "--collect-only", *(str(own_test(path)) for path in paths)])
    find(integers(), bool)  # loads what hypothesis loads when it first draws
    gc.freeze()  # pytest collects garbage often, and need not look at all of that


def own_test(path: Path) -> Path:
    """A method's test."""
    return TESTS / f"test_{path.stem}.py"


def examine(path: Path, jobs: int) -> list[str]:
    """Print what became of a file's changes; those that were not noticed by its test."""
    start, source = time.monotonic(), path.read_text(encoding="utf-8")
    found = mutations(source)
    whole = [(path, source), *((path, change.source) for change in found)]
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        untouched, *results = pool.starmap(noticed, whole, chunksize=1)
    if untouched != "":
        line = f"{path.stem}: its {untouched} fails as it stands"
        print(line, flush=True)
        return [line]
    return report(path, found, results, time.monotonic() - start)


def noticed(path: Path, source: str) -> str:
    """Who noticed a file with this source in the place of `path`: "test", "contract" or nobody."""
    with tempfile.TemporaryDirectory() as folder, silence():
        for other in plugins.names_in(plugins.METHODS):
            (Path(folder) / other.name).symlink_to(other)
        changed = Path(folder) / path.name
        changed.unlink()
        changed.write_text(source, encoding="utf-8")
        plugins.METHODS = Path(folder)
        if pytest.main([*OPTIONS, str(own_test(path))]) != pytest.ExitCode.OK:
            return "test"
        return "contract" if contract_fails(changed) else ""


def contract_fails(path: Path) -> bool:
    """Whether the file breaks the contract, or cannot be loaded."""
    try:
        return bool(check_method(plugins.load_method(plugins.read_method(path))))
    except PlumblineError:
        return True


@contextlib.contextmanager
def silence():
    """Nothing that the process prints is seen."""
    with open(os.devnull, "w") as nowhere:
        sys.stdout.flush()
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        yield


def report(path: Path, found: list[Mutation], results: list[str], seconds: float) -> list[str]:
    """Print a file's account; the changes that its test did not notice and should have."""
    lines, known = [], EQUIVALENT.get(path.stem, {})
    for change, result in zip(found, results, strict=True):
        if result != "test" and str(change) not in known:
            how = "only the contract noticed" if result else "survived"
            lines.append(f"  {path.parent.name}/{path.name}:{change.line}: {how}: {change}")
    same = sum(str(change) in known for change in found)
    print(
        f"{path.stem}: {len(found)} changes, {len(lines)} not noticed by its test, {same} change "
        f"nothing; {seconds:.0f} s",
        *lines,
        sep="\n",
        flush=True,
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
