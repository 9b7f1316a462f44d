"""Tables for the terminal."""

import io
import shutil
import sys

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from plumbline.aggregate import TableOne
from plumbline.report.words import cell_text, heading_text, rank_text, stamped

#: Wide enough for any table: a file or a pipe must not lose columns.
PIPE_WIDTH = 240


def summary(table: TableOne) -> str:
    """Table 1 with its notes, as `printed`."""
    notes = [Text.assemble((f"{label}. ", "bold"), text) for label, text in table.notes]
    return printed(rich_table(table), *notes)


def printed(*parts: RenderableType, pipe_width: int = PIPE_WIDTH) -> str:
    """Parts one under the other, in colour where standard output is a terminal, else plain."""
    is_terminal = sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        force_terminal=is_terminal,
        width=shutil.get_terminal_size().columns if is_terminal else pipe_width,
        highlight=False,
    )
    for part in parts:
        console.print(part)
    return console.file.getvalue()


def rich_table(table: TableOne) -> Table:
    """The table itself; best cells are bold, incomplete ones yellow."""
    result = Table(box=box.SIMPLE_HEAD, title=Text(table.setting), title_justify="left")
    result.add_column("Method")
    for heading in table.headings:
        title = stamped(heading_text(table, heading), heading.stamp)
        result.add_column(Text(f"{heading.group}\n{title}"), justify="right")
    result.add_column(Text(stamped("Average\nrank", table.rank_stamp)), justify="right")
    for line in table.lines:
        cells = [
            Text(
                cell_text(cell, heading.column.digits),
                style="bold green" if cell.best else "" if cell.complete else "yellow",
            )
            for heading, cell in zip(table.headings, line.cells, strict=True)
        ]
        result.add_row(Text(line.title), *cells, Text(rank_text(line.rank)))
    return result
