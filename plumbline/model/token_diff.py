"""Two renderings of one conversation side by side, token by token, for a person to read."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from transformers import PreTrainedTokenizerBase

#: Lines shown before the first difference, and from it on.
BEFORE, AFTER = 4, 16
WIDTH = 100


def token_diff(
    tokenizer: PreTrainedTokenizerBase,
    titles: tuple[str, str],
    left: Sequence[int],
    right: Sequence[int],
) -> str:
    """The part around the first difference as a table: lines that differ are marked with `>`.

    left, right: token ids; titles: what each is called. A token is shown as its id and its text,
    quoted as in Python. In colour where standard error is a terminal, else plain.
    """
    rows = list(aligned(left, right))
    first = next(index for index, row in enumerate(rows) if _differs(row))
    shown = rows[max(0, first - BEFORE) : first + AFTER]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("")
    for title in titles:
        table.add_column("", justify="right")
        table.add_column(Text(title), no_wrap=True)
    for row in shown:
        cells = [text for place in row for text in _cells(tokenizer, place)]
        differs = _differs(row)
        table.add_row(">" if differs else "", *cells, style="bold red" if differs else "")
    where = _where(rows[first])
    rest = len(rows) - first - AFTER
    more = f"\n... and {rest} lines more" if rest > 0 else ""
    return f"the first difference is at token {where}:\n{_plain_or_coloured(table)}{more}"


#: Position and id of a token, or None where the other side has one more.
Place = tuple[int, int] | None


def aligned(left: Sequence[int], right: Sequence[int]) -> Iterator[tuple[Place, Place]]:
    """Both sides line by line, equal tokens beside each other."""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for _, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        lefts = ((place, left[place]) for place in range(left_start, left_end))
        rights = ((place, right[place]) for place in range(right_start, right_end))
        yield from zip_longest(lefts, rights)


def _where(row: tuple[Place, Place]) -> int:
    """Where a line stands, counted from 0, on the side that has a token there."""
    return next(place[0] for place in row if place)


def _differs(row: tuple[Place, Place]) -> bool:
    left, right = row
    return left is None or right is None or left[1] != right[1]


def _cells(tokenizer: PreTrainedTokenizerBase, place: Place) -> tuple[str, Text]:
    if place is None:
        return "", Text("")
    position, token = place
    # Quoted: a token may hold line breaks or what a terminal would obey.
    return str(position), Text(f"{token} {tokenizer.decode([token])!a}")


def _plain_or_coloured(table: Table) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=sys.stderr.isatty(), width=WIDTH, highlight=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n"))
