"""The methods there are, by what their files say; none is imported."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from plumbline import plugins
from plumbline.contracts import AXES, RANGES
from plumbline.errors import MethodError
from plumbline.plugins import Hyperparameter, MethodSpec
from plumbline.report.terminal import printed

COLUMNS = "Name,Title,Feedback,Hyperparameters,Needs,Paper,Oracle,Axes,Ranked".split(",")
CAPTION = (
    "sft, no alignment, is a method without a file. Hyperparameters: default (range). Oracle: what "
    f"its test holds it against. Axes: {', '.join(AXES)} (arXiv:2503.11701v1)."
)
#: Wide enough for the longest line: a pipe must find a method's words on one.
PIPE_WIDTH = 640


def run(folders: list[Path], as_json: bool) -> None:
    """Print the methods of `losses/` and of `folders`, and under them what is wrong with a file.

    Raises MethodError, once the list is printed, where a file is no method.
    """
    paths = [path for folder in [plugins.METHODS, *folders] for path in plugins.names_in(folder)]
    found = {path: read(path) for path in paths}
    broken = {path: item for path, item in found.items() if isinstance(item, MethodError)}
    specs = [found[path] for path in paths if path not in broken]
    if as_json:
        print(json.dumps([described(spec) for spec in specs], indent=2))
    else:
        faults = (Text(str(error), style="red") for error in broken.values())
        print(printed(listing(specs), *faults, pipe_width=PIPE_WIDTH), end="")
    if broken:
        names = ", ".join(map(str, broken))
        raise MethodError(f"{len(broken)} of {len(paths)} files cannot be used: {names}")


def read(path: Path) -> MethodSpec | MethodError:
    """What a file says of itself, or why it cannot be used."""
    try:
        spec = plugins.read_method(path)
    except MethodError as error:
        return error
    problems = [found for item in spec.hyperparameters if (found := item.problem(item.default))]
    return MethodError(f"{path}: {'; '.join(problems)}") if problems else spec


def listing(specs: Iterable[MethodSpec]) -> Table:
    """One row a method."""
    table = Table(box=box.SIMPLE_HEAD, caption=CAPTION, caption_justify="left")
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for spec in specs:
        card = spec.card
        values = ", ".join(map(hyperparameter_text, spec.hyperparameters))
        words = card.paper, card.oracle, ", ".join(card.axes), ranked_text(spec)
        cells = spec.name, card.title, spec.feedback, values, ", ".join(card.needs), *words
        table.add_row(*map(Text, cells))
    return table


def described(spec: MethodSpec) -> dict[str, Any]:
    """All that a method's file says of it, as `--json` prints it."""
    card = spec.card
    return {
        "name": spec.name,
        "title": card.title,
        "file": str(shown(spec.path)),
        "feedback": spec.feedback,
        "needs": card.needs,
        "coupled": card.coupled,
        "hyperparameters": {
            item.name: {"default": item.default, "range": str(RANGES[item.range])}
            for item in spec.hyperparameters
        },
        "optimum": card.optimum,
        "theorem": card.theorem,
        "paper": card.paper,
        "oracle": card.oracle,
        "axes": dict(zip(AXES, card.axes, strict=False)),
        "fidelity": card.fidelity,
        "unranked": card.unranked,
        "exempt": dict(card.exempt),
    }


def shown(path: Path) -> Path:
    """A file of this checkout from its root on; any other as it is."""
    return path.relative_to(plugins.HOME) if path.is_relative_to(plugins.HOME) else path


def hyperparameter_text(item: Hyperparameter) -> str:
    """`beta = 0.1 (> 0)`."""
    return f"{item.name} = {item.default:g} ({RANGES[item.range]})"


def ranked_text(spec: MethodSpec) -> str:
    """Whether a method takes part in ranks, and why not."""
    return f"no: {spec.card.unranked}" if spec.card.unranked else "yes"
