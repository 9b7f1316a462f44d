"""The methods there are, by what their files say; none is imported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from plumbline import plugins
from plumbline.contracts import RANGES
from plumbline.errors import MethodError
from plumbline.plugins import Hyperparameter, MethodSpec
from plumbline.report.terminal import printed

COLUMNS = "Name,Title,Feedback,Hyperparameters,Needs,Paper".split(",")
CAPTION = "sft, no alignment, is a method without a file. Hyperparameters: default (range)."


def run(folders: list[Path]) -> None:
    """Print the methods of `losses/` and of `folders`, and under them what is wrong with a file.

    Raises MethodError, once the list is printed, where a file is no method.
    """
    paths = [path for folder in [plugins.METHODS, *folders] for path in plugins.names_in(folder)]
    found = {path: read(path) for path in paths}
    broken = {path: item for path, item in found.items() if isinstance(item, MethodError)}
    table = listing(found[path] for path in paths if path not in broken)
    print(printed(table, *(Text(str(error), style="red") for error in broken.values())), end="")
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
        cells = spec.name, card.title, spec.feedback, values, ", ".join(card.needs), card.paper
        table.add_row(*map(Text, cells))
    return table


def hyperparameter_text(item: Hyperparameter) -> str:
    """`beta = 0.1 (> 0)`."""
    return f"{item.name} = {item.default:g} ({RANGES[item.range]})"
