"""`make docs`: docs/conformance.md, every method beside the loss that TRL has in its place."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME / "tests"))

import trl_counterparts as trl  # noqa: E402

from plumbline.plugins import METHODS, MethodSpec, names_in, read_method  # noqa: E402

PAGE = Path(__file__).with_name("conformance.md")
HEAD = """# Conformance

Made by `make docs`: each method of `losses/` and its counterpart in TRL {version}, executed on the
same log-probabilities of three pairs, token by token. *Agrees* says that the loss, as a mean over
the batch, and its gradient on every token are the same numbers, to {relative:g} of their size;
*differs* shows the first that is not, in that order. Nothing of TRL is rewritten: its trainers' own
methods run (`tests/trl_losses.py`). `tests/trl_counterparts.py` says what is compared with what, at
which settings, none of them a default. `cpo_alpha=0` leaves CPOTrainer's likelihood term out.
"""


def page(specs: Sequence[MethodSpec]) -> str:
    """The page of these methods."""
    known = [spec for spec in specs if spec.name in trl.COUNTERPARTS]
    found = {spec.name: trl.compared(spec, trl.COUNTERPARTS[spec.name]) for spec in known}
    differing = [spec for spec in known if found[spec.name].difference]
    head = HEAD.format(version=version("trl"), relative=trl.RELATIVE)
    count = (
        f"Of {len(specs)} methods {len(known) - len(differing)} agree, {len(differing)} differ and "
        f"{len(specs) - len(known)} are absent from TRL."
    )
    lines = ["| Method | In TRL | Loss | Verdict |", "| :-- | :-- | --: | :-- |"]
    lines += [line(spec, found.get(spec.name)) for spec in specs]
    return "\n".join([head, count, "", *lines, ""])


def line(spec: MethodSpec, found: trl.Comparison | None) -> str:
    """A method's line in the table."""
    link = f"[{spec.name}](../losses/{spec.name}.py)"
    if found is None:
        return f"| {link} | | | absent |"
    counterpart = trl.COUNTERPARTS[spec.name]
    verdict = "agrees"
    if found.difference:
        verdict = f"**differs**: {found.difference}: {counterpart.why}"
    return f"| {link} | {counterpart.words} | {found.ours:.5g} | {verdict} |"


if __name__ == "__main__":
    PAGE.write_text(page([read_method(path) for path in names_in(METHODS)]), encoding="utf-8")
