"""Where a cell of a table comes from, as a tree or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from plumbline import config
from plumbline.cli.cells import CELLS, nearest
from plumbline.operate.why import Chains, Step, commands, ordered
from plumbline.provenance import machine_words, traces, versions_words
from plumbline.report.terminal import printed

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
