"""Where a cell of a table comes from, as a tree or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from plumbline import config
from plumbline.aggregate import Heading, validation_grid
from plumbline.aggregate.columns import fits
from plumbline.cli import tables
from plumbline.config import Experiment
from plumbline.errors import ConfigError
from plumbline.layout import SettingFolder
from plumbline.operate.why import Chains, Step, commands, ordered
from plumbline.provenance import machine_words, traces, versions_words
from plumbline.report.terminal import printed
from plumbline.report.words import cell_text
from plumbline.schema import Column as Choice

Row = dict[str, Any]
#: Columns of the terminal that the tree is made for.
WIDTH = 100
#: Letters of a digest that are printed.
SHORT = 12


def run(
    file: Path, table: str, method: str, column: str, setting: str | None, as_json: bool
) -> None:
    """Print the chain behind a cell."""
    experiment = config.read(file)
    known = experiment.setting_folders()
    name = nearest(setting or next(iter(known)), {item: item for item in known}, "setting")
    find = nearest(table, CELLS, "table")
    title, rows = find(experiment, known[name], method, column)
    path = experiment.folder.tables / name / f"{table}.csv"
    steps = ordered(root := Chains(experiment, known[name]).cell(path, rows))
    environments = traces(step.path for step in steps)["environments"]
    if as_json:
        print(json.dumps(described(title, steps, environments), indent=2))
        return
    order = commands(steps)
    words = [Text(environment_words(*item)) for item in environments.items()]
    print(printed(tree(title, root, order), "\nMade in", *words, pipe_width=WIDTH))
    print("To make it again, in the folder of the Snakefile:")
    for number, line in enumerate(order, 1):
        print(f"[{number}] {line}")


def nearest(name: str, known: Mapping[str, Any], noun: str) -> Any:
    """What has this name; ConfigError with the nearest name that there is."""
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"no {noun} {name!r}: {hint}known: {', '.join(known)}")


def table_one_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """A cell of Table 1, in words, and the rows it is made of."""
    setting = experiment.setting_at(folders.name)
    table = tables.table(experiment, setting, folders)
    lines = {line.title: line for line in table.lines} | {line.method: line for line in table.lines}
    line = nearest(method, lines, "method")
    heading = nearest(column, by_name(table.headings), "column")
    cell = line.cells[table.headings.index(heading)]
    rows = [
        row
        for row in tables.shown_rows(experiment, folders)
        if row["split"] == "test" and row["method"] == line.method and fits(row, heading)
    ]
    text = cell_text(cell, heading.column.digits)
    return f"{line.title} / {heading.group} {heading.column.title} = {text}", by_seed(rows)


def by_name(headings: Iterable[Heading]) -> dict[str, Heading]:
    """Columns by everything they may be called: `WR`, `AlpacaEval 2 WR`, `alpaca_eval_2.win_rate`.

    Of columns that share a name the first has it; each has its key for itself.
    """
    names: dict[str, Heading] = {}
    for heading in headings:
        column = heading.column
        benchmark = f"{column.benchmark}.{column.metric}"
        for name in (column.title, f"{heading.group} {column.title}", benchmark, heading.key):
            names.setdefault(name, heading)
    return names


def grid_cell(
    experiment: Experiment, folders: SettingFolder, method: str, column: str
) -> tuple[str, list[Row]]:
    """A cell of the validation grid, whose columns are points, and the rows it is made of."""
    choice = tables.column(experiment, Choice(**experiment.select.model_dump()))
    rows = tables.rows_of(experiment, folders)
    names = {"methods": experiment.entrants, "titles": tables.titles(experiment)}
    grid = validation_grid(rows, choice, selected={}, **names)
    lines = {line.title: line for line in grid.rows} | {line.method: line for line in grid.rows}
    line = nearest(method, lines, "method")
    labels = {label: label for label in line.cells} | {
        point: label for label, point in line.points.items()
    }
    label = nearest(column, labels, "point")
    key = {
        "split": "validation",
        "method": line.method,
        "point": line.points[label],
        "benchmark": choice.benchmark,
        "metric": choice.metric,
    }
    mine = [row for row in rows if key.items() <= row.items()]
    text = cell_text(line.cells[label], choice.digits)
    return f"{line.title} at {line.points[label]} / {choice.title} = {text}", by_seed(mine)


#: The tables whose cells are asked for, by their files' names.
CELLS = {"table1": table_one_cell, "validation_grid": grid_cell}


def by_seed(rows: list[Row]) -> list[Row]:
    """Rows in the order of their seeds."""
    return sorted(rows, key=lambda row: row["seed"])


def described(title: str, steps: list[Step], environments: Row) -> Row:
    """The whole chain as JSON: sources before what was made from them."""
    return {
        "cell": title,
        "steps": [
            {
                "what": step.what,
                "path": str(step.path),
                "sha256": step.digest,
                "facts": step.facts,
                "sources": [str(source.path) for source in step.sources],
                "trace": step.trace,
            }
            for step in steps
        ],
        "environments": environments,
        "commands": commands(steps),
    }


def tree(title: str, root: Step, order: list[str]) -> Tree:
    """The chain from the table down to the data. A file is made from the next one at its level, and
    from those below it; one that returns is not told again.

    order: the commands, whose numbers stand at the files.
    """
    seen: set[Path] = set()

    def add(parent: Tree, step: Step) -> None:
        if step.path in seen:
            parent.add(Text.assemble((step.what, "bold"), ("  as above", "dim")))
            return
        seen.add(step.path)
        branch = parent.add(label(step, order))
        if step.what == "selection":  # each has a chain of its own, of the validation grid
            branch.add(Text("; ".join(map(candidate, step.sources))))
            return
        beside, after = split(step.sources)
        for source in beside:
            add(branch, source)
        for source in after:
            add(parent, source)

    whole = Tree(Text(title, style="bold green"))
    add(whole, root)
    return whole


def split(sources: tuple[Step, ...]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """What stands below a file, and what it goes on with: nothing where all are of one kind."""
    alike = len(sources) > 1 and len({source.what for source in sources}) == 1
    return (sources, ()) if alike else (sources[:-1], sources[-1:])


def candidate(step: Step) -> str:
    """What a selection looked at, in a few words."""
    facts = step.facts
    return f"{facts['point']} seed {facts['seed']}: {short(facts['value'])}"


def label(step: Step, order: list[str]) -> Text:
    """A file in three lines: what it is and says, where it lies, who made it."""
    facts = ", ".join(f"{name} {short(value)}" for name, value in step.facts.items() if told(value))
    head = Text("  ").join(filter(None, [Text(step.what, style="bold"), Text(facts)]))
    lines = [head, Text(str(step.path), style="cyan")]
    if step.digest or step.trace:
        lines.append(Text(made(step, order), style="dim"))
    return Text("\n").join(lines)


def told(value: Any) -> bool:
    """Whether a fact says anything."""
    return value is not None and value != ""


def short(value: Any) -> str:
    """A fact in a few letters: digests by their beginning, lists by their length."""
    if isinstance(value, list):
        return f"{len(value)} (the first: {value[0][:SHORT]})"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text[:SHORT] if len(text) == 64 else text


def made(step: Step, order: list[str]) -> str:
    """Digest, seconds, time, environment and the command's number; plain where nobody said."""
    parts = [f"sha256 {step.digest[:SHORT]}"] if step.digest else []
    if trace := step.trace:
        parts += [
            f"{trace['seconds']:g} s",
            trace["finished"].removesuffix("+00:00") + "Z",
            f"in {trace['environment']}",
            f"by [{order.index(trace['command']) + 1}]",
        ]
    return " · ".join(parts)


def environment_words(name: str, environment: Row) -> str:
    """An environment in a line or two."""
    code = f"code {short(environment['code'])}, engine {environment['engine']}"
    where = f"Python {environment['python']}, {machine_words(environment['machine'])}"
    return f"{name}: {versions_words([environment])}; {code}; {where}"
