"""`make docs`: docs/methods.md, every method by what its file in losses/ says."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from plumbline.cli.methods import hyperparameter_text, ranked_text
from plumbline.contracts import AXES
from plumbline.plugins import METHODS, MethodSpec, names_in, read_method

PAGE = Path(__file__).with_name("methods.md")
HEAD = """# Methods

Made by `make docs` from the files in `losses/`. `plumbline methods` prints the same of them and of
your own, `plumbline methods --json` everything they say. Number by number beside TRL's losses:
[conformance.md](conformance.md). A method of your own: [add_a_method.md](add_a_method.md).

- **Learns from.** Pairs of a chosen and a rejected response, singles with a label, or lists with
  scores.
- **Hyperparameters.** The paper's default, and the range.
- **Needs.** What the engine computes for the method, beside the policy's log-probabilities.
  Coupled: an example's loss depends on the others of its global batch.
- **Oracle.** What its test holds it against: code of others as it executes, 50-digit arithmetic, or
  a calculation written out number by number.
- **Ranked.** A method whose formula could not be read in its paper or its authors' code is trained
  and listed, and takes no part in ranks; nor does one that unlearns.
"""
PLACES = """## On the survey's axes

The four axes of *A Survey of Direct Preference Optimization*
([arXiv:2503.11701v1](https://arxiv.org/abs/2503.11701v1)), one word on each.
"""
EXEMPTIONS = """## Exemptions

The checks of the contract that a method cannot hold, and why. Never one of them: finite values and
gradients at log-ratios of ±10,000.
"""


def page(specs: Sequence[MethodSpec]) -> str:
    """The page of these methods."""
    what = table(
        "Method,Title,Learns from,Hyperparameters,Needs,Paper,Oracle,Ranked".split(","),
        map(what_it_is, specs),
    )
    places = table(
        ["Method", *map(str.capitalize, AXES)],
        ([link(spec), *(spec.card.axes or ["not told"] * len(AXES))] for spec in specs),
    )
    exempt = table(
        ["Method", "Check", "Why it cannot hold"],
        ([link(spec), f"`{check}`", why] for spec in specs for check, why in spec.card.exempt),
    )
    count = f"{len(specs)} methods; `sft`, no alignment, is one more, without a file."
    return "\n".join([HEAD, count, "", what, "", PLACES, places, "", EXEMPTIONS, exempt, ""])


def what_it_is(spec: MethodSpec) -> list[str]:
    """A method's line in the first table."""
    card = spec.card
    values = "; ".join(map(hyperparameter_text, spec.hyperparameters)) or "none"
    needs = ", ".join([*card.needs, *["coupled"] * card.coupled]) or "nothing"
    words = needs, paper_link(card.paper), card.oracle, ranked_text(spec)
    return [link(spec), card.title, spec.feedback, values, *words]


def link(spec: MethodSpec) -> str:
    """The method's name, leading to its file."""
    return f"[{spec.name}](../losses/{spec.name}.py)"


def paper_link(paper: str) -> str:
    """The paper, each arXiv identifier leading to that version."""
    return re.sub(r"arXiv:(\S+v\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", paper)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, or a word where it would be empty."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    if not lines:
        return "None."
    lines = [heads, [":--"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page([read_method(path) for path in names_in(METHODS)]), encoding="utf-8")
