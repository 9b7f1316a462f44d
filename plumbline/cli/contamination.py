"""How much of the evaluation sets is in the training prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from plumbline import config
from plumbline.artifacts import read_rows
from plumbline.config import Experiment
from plumbline.data.contamination import find, index, pair, user_turns
from plumbline.data.questions import questions
from plumbline.errors import ConfigError, DataError
from plumbline.layout import SettingFolder
from plumbline.prompts import prompts_of
from plumbline.report.terminal import printed

NUMBERS = ("Items", "Exact", "13-gram", "Either")
CAPTION = (
    "Exact: an item's user turns, or its first ones, are those of a training prompt. 13-gram: 13 "
    "of its words in a row are."
)


def run(experiment: Path | None, train: Path | None, items: Path | None) -> None:
    """Print one line a pair: of an experiment's settings and benchmarks, or of two files.

    Raises ConfigError where neither is given, or both.
    """
    match experiment, train, items:
        case Path(), None, None:
            lines = of_experiment(experiment)
        case None, Path(), Path():
            lines = [of_files(train, items)]
        case _:
            given = [str(path) for path in (experiment, train, items) if path]
            raise ConfigError(
                f"plumbline contamination: got {', '.join(given) or 'nothing'}; give an experiment "
                "file, or both of --train FILE and --items FILE"
            )
    print(printed(listing(lines)), end="")


def of_files(train: Path, items: Path) -> list[str]:
    """The line of two files, of any form that `questions` reads; DataError where one is absent."""
    found = find(index(questions(train).values()), questions(items))
    return [train.name, items.name, *numbers(list(found))]


def of_experiment(path: Path) -> Iterator[list[str]]:
    """A line for each setting, benchmark and split that is scored; one that cannot be computed says
    what is absent and what to type."""
    chosen = config.read(path)
    for setting, folders in chosen.setting_folders().items():
        for split in ("validation", "test"):
            for benchmark in chosen.benchmarks_on(split):
                if not folders.data_record.is_file():
                    found = none(f"data absent: plumbline data {quote(str(path))} {folders.name}")
                elif chosen.benchmark(benchmark).needs == "model":
                    found = scored(folders.contamination(split, benchmark), path)
                else:
                    found = answered(chosen, setting, folders, benchmark, split)
                yield [setting, f"{benchmark}, {split}", *found]


def scored(path: Path, experiment: Path) -> list[str]:
    """The numbers of a benchmark whose items are known once a model is scored."""
    if path.is_file():
        return numbers(read_rows(path))
    return none(f"not scored yet: snakemake --cores 2 --configfile {quote(str(experiment))}")


def answered(
    chosen: Experiment, setting: str, folders: SettingFolder, benchmark: str, split: str
) -> list[str]:
    """The numbers of a benchmark whose prompts are known before any model answers them."""
    try:
        rows = prompts_of(chosen, benchmark, chosen.settings[setting], folders, split)
    except (DataError, FileNotFoundError) as error:
        return none(f"data absent: {error}")
    asked = {row["id"]: user_turns(row["prompt"], row["follow_ups"]) for row in rows}
    return numbers(pair(folders, benchmark, split, asked))


def numbers(found: Sequence[dict[str, Any]]) -> list[str]:
    """Items, exact matches, 13-gram matches, either, and their share in percent."""
    exact, ngram = (sum(row[rule] for row in found) for rule in ("exact", "ngram"))
    either = sum(row["exact"] or row["ngram"] for row in found)
    share = f"{100 * either / len(found):.2f} %" if found else "–"
    return [*map(str, (len(found), exact, ngram, either)), share]


def none(reason: str) -> list[str]:
    """What stands in place of `numbers` where there are none."""
    return [*("–" for _ in NUMBERS), reason]


def listing(lines: Iterable[Sequence[str]]) -> Table:
    """One row a pair."""
    table = Table(box=box.SIMPLE_HEAD, caption=CAPTION, caption_justify="left")
    table.add_column("Training prompts")
    table.add_column("Evaluation set")
    for name in NUMBERS:
        table.add_column(name, justify="right")
    table.add_column("Share", overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    return table
