"""How cells, ranks and headings are put into words; the same in every format."""

from plumbline.aggregate import Cell, Clean, Grid, Heading, Rank, TableOne
from plumbline.aggregate.notes import BRACKETS, BROKEN, CONTAMINATED, contaminated_words

ARROWS = {"higher": "↑", "lower": "↓"}


def cell_text(cell: Cell, digits: int) -> str:
    """`12.34 ± 0.56`; a cell that is not complete says its status, with or without a number, and
    a number that is contaminated or has a stamp says it."""
    status = cell.status.replace("_", " ")
    if cell.value is None:
        return f"– {status}"
    number = number_text(cell, digits) + (clean_text(cell.clean, digits) if cell.clean else "")
    text = stamped(number, "" if cell.complete else status)
    return stamped(text, cell.stamp)


def number_text(number: Cell | Clean, digits: int) -> str:
    """Mean and spread, as far as there are any; a dash for no mean."""
    if number.value is None:
        return "–"
    spread = "" if number.spread is None else f" ± {number.spread:.{digits}f}"
    return f"{number.value:.{digits}f}{spread}"


def clean_text(clean: Clean, digits: int) -> str:
    """What stands beside a number some of whose items are in the training prompts: a mark, and the
    number without them."""
    return f"{CONTAMINATED} [{number_text(clean, digits)}]"


def grid_note(grid: Grid) -> str:
    """What the marks of a grid mean; "" without any."""
    cells = [cell for row in grid.rows for cell in row.cells.values()]
    counts = dict.fromkeys(contaminated_words(cell.clean) for cell in cells if cell.clean)
    return f"{CONTAMINATED} {'; '.join([*counts, BRACKETS])}." if counts else ""


def rank_text(rank: Rank) -> str:
    """Two decimals, or a dash."""
    return "–" if rank.value is None else f"{rank.value:.2f}"


def heading_text(table: TableOne, heading: Heading) -> str:
    """The column's title with its direction, its judge where the column had to be split, and a mark
    where a control breaks it."""
    twins = [other for other in table.headings if other.column == heading.column]
    split = f" [{' '.join(filter(None, (heading.judge_label, f'v{heading.version}')))}]"
    mark = BROKEN if heading.broken else ""
    title = heading.column.title + (split if len(twins) > 1 else "") + mark
    parts = (title, ARROWS.get(heading.better))
    return " ".join(filter(None, parts))


def stamped(text: str, stamp: str) -> str:
    """A heading or a number with what has to be said of it."""
    return f"{text} ({stamp})" if stamp else text


def heat(grid: Grid, value: float | None) -> int:
    """How far a value lies from the grid's worst mean (0) to its best (100)."""
    values = [c.value for row in grid.rows for c in row.cells.values() if c.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if value is None or low == high:
        return 0
    share = (value - low) / (high - low)
    return round(100 * (1 - share if grid.better == "lower" else share))
