"""Tables as CSV (every digit), Markdown, LaTeX and HTML (as printed)."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from plumbline.aggregate import Cell, Grid, Heading, Line, TableOne, records
from plumbline.report.templates import render
from plumbline.report.words import cell_text, grid_note, heading_text, rank_text, stamped

#: Columns of a result row that a reader of single numbers needs, in order.
LONG = (
    "setting method point seed split benchmark version metric better value se n n_expected "
    "n_contaminated clean_value clean_se status reason judge judge_version decoding"
).split()
#: What a CSV says of contamination: how many items of a run, and value and spread without them.
CLEAN = ("contaminated", "clean", "clean_spread")
LATEX_SPECIALS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
}


def to_csv(table: TableOne) -> str:
    """One line a method; for each column its value, spread, seeds, status, stamps and the fields of
    `CLEAN`, in every digit."""
    names = [heading.key for heading in table.headings]
    parts = ("", ".spread", ".seeds", ".status", ".stamp", *(f".{part}" for part in CLEAN))
    header = [
        *("method", "title", "point"),
        *(name + part for name in names for part in parts),
        "average_rank",
    ]
    lines = [
        [
            *(line.method, line.title, line.point),
            *(
                x
                for c, heading in zip(line.cells, table.headings, strict=True)
                for x in (
                    *(c.value, c.spread, c.n_seeds, c.status, both_stamps(c, heading)),
                    *clean_fields(c),
                )
            ),
            line.rank.value,
        ]
        for line in table.lines
    ]
    return csv_text([header, *lines])


def both_stamps(cell: Cell, heading: Heading) -> str:
    """What has to be said of a number for its model and for its judge."""
    return "; ".join(filter(None, (cell.stamp, heading.stamp)))


def clean_fields(cell: Cell) -> tuple[float | None, ...]:
    """The fields of `CLEAN`, empty where no item is in the training prompts."""
    clean = cell.clean
    return (clean.n, clean.value, clean.spread) if clean else (None, None, None)


def csv_text(lines: Iterable[Sequence[Any]]) -> str:
    """Lines as CSV; None is an empty field."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def to_markdown(table: TableOne) -> str:
    """A pipe table, header groups spelt into the headings, notes below."""
    header = ["Method"]
    header += [
        f"{heading.group}: {stamped(heading_text(table, heading), heading.stamp)}"
        for heading in table.headings
    ]
    header.append(stamped("Average rank", table.rank_stamp))
    lines = [
        [line.title, *printed(table, line, "**{}**"), rank_text(line.rank)] for line in table.lines
    ]
    notes = [f"- **{pipe_safe(label)}.** {pipe_safe(text)}" for label, text in table.notes]
    return markdown_lines(header, lines) + "\n" + "\n".join(notes) + "\n"


def printed(table: TableOne, line: Line, bold: str) -> list[str]:
    """A line's cells as text; `bold` is a format for the best ones."""
    return [
        (bold if cell.best else "{}").format(cell_text(cell, heading.column.digits))
        for heading, cell in zip(table.headings, line.cells, strict=True)
    ]


def markdown_lines(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A pipe table: first column to the left, numbers to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    rows = [[pipe_safe(text) for text in header], rule]
    rows += [[pipe_safe(text) for text in line] for line in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def pipe_safe(text: str) -> str:
    """Text that cannot end a Markdown cell or open HTML."""
    text = text.replace("|", r"\|").replace("<", "&lt;")
    return re.sub(r"\s+", " ", text)


def to_latex(table: TableOne) -> str:
    """A booktabs table with its notes in the caption; needs \\usepackage{booktabs}."""
    groups = [rf"\multicolumn{{{width}}}{{c}}{{{tex(name)}}}" for name, width in table.groups]
    titles = [tex(stamped(heading_text(table, h), h.stamp)) for h in table.headings]
    lines = [
        [tex(line.title), *tex_cells(table, line), tex(rank_text(line.rank))]
        for line in table.lines
    ]
    notes = " ".join(rf"\emph{{{tex(label)}.}} {tex(text)}" for label, text in table.notes)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering\small",
            rf"  \begin{{tabular}}{{l{'r' * len(table.headings)}r}}",
            r"    \toprule",
            f"    {' & '.join(['', *groups, ''])} \\\\",
            f"    {column_rules(table)}",
            f"    {' & '.join(['Method', *titles, tex(stamped('Rank', table.rank_stamp))])} \\\\",
            r"    \midrule",
            *(f"    {' & '.join(line)} \\\\" for line in lines),
            r"    \bottomrule",
            r"  \end{tabular}",
            rf"  \caption{{{notes}}}",
            r"\end{table}",
            "",
        ]
    )


def tex_cells(table: TableOne, line: Line) -> list[str]:
    """A line's cells in LaTeX, the best ones bold."""
    texts = [tex(text) for text in printed(table, line, "{}")]
    return [
        rf"\textbf{{{text}}}" if cell.best else text
        for text, cell in zip(texts, line.cells, strict=True)
    ]


def column_rules(table: TableOne) -> str:
    """A rule under each header group."""
    rules, left = [], 2
    for _, width in table.groups:
        rules.append(rf"\cmidrule(lr){{{left}-{left + width - 1}}}")
        left += width
    return "".join(rules)


def tex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(LATEX_SPECIALS.get(character, character) for character in text)


def to_html(table: TableOne) -> str:
    """A <table> fragment with its notes, escaped; the page's style sheet dresses it."""
    return render("table.html.j2", table=table)


def grid_to_csv(grid: Grid) -> str:
    """One line a point: mean over seeds, spread, seeds, status, whether it was selected, stamp, and
    the fields of `CLEAN`."""
    header = ["method", "point", "value", "spread", "seeds", "status", "selected", "stamp", *CLEAN]
    lines = [
        [
            *(row.method, row.points[label], c.value, c.spread, c.n_seeds, c.status),
            *(selected, c.stamp, *clean_fields(c)),
        ]
        for row in grid.rows
        for label, c in row.cells.items()
        for selected in [str(label == row.selected).lower()]
    ]
    return csv_text([header, *lines])


def grid_to_markdown(grid: Grid) -> str:
    """Methods by points, the selected point bold; below, what a mark means."""
    digits = grid.column.digits
    lines = [
        [
            f"{row.title} {row.fixed}".strip(),
            *(
                ("**{}**" if label == row.selected else "{}").format(cell_text(cell, digits))
                if (cell := row.cells.get(label))
                else ""
                for label in grid.labels
            ),
        ]
        for row in grid.rows
    ]
    note = f"\n{grid_note(grid)}\n" if grid_note(grid) else ""
    return markdown_lines(["Method", *grid.labels], lines) + note


def grid_to_html(grid: Grid) -> str:
    """A <table> fragment, escaped, shaded from the grid's worst mean to its best."""
    return render("grid.html.j2", grid=grid)


def long_csv(rows: Any) -> str:
    """Every number by itself, with its standard error, items, status and judge (`LONG`)."""
    lines = [[row.get(name) for name in LONG] for row in records(rows)]
    return csv_text([LONG, *sorted(lines, key=lambda line: [str(x) for x in line[:8]])])


def table_files(table: TableOne, grid: Grid, rows: Any) -> dict[str, str]:
    """File name -> text, for everything that belongs in a setting's folder of tables."""
    return {
        "table1.csv": to_csv(table),
        "table1.md": to_markdown(table),
        "table1.tex": to_latex(table),
        "table1.html": to_html(table),
        "validation_grid.csv": grid_to_csv(grid),
        "validation_grid.md": grid_to_markdown(grid),
        "numbers.csv": long_csv(rows),
    }
