"""The shape of a finished table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plumbline.aggregate.cells import Cell
from plumbline.aggregate.columns import Heading
from plumbline.aggregate.ranks import Rank, RankRule


@dataclass(frozen=True)
class Line:
    """A method's row. point: the hyperparameters it was tested at; cells: one per heading."""

    method: str
    title: str
    point: str
    cells: tuple[Cell, ...]
    rank: Rank


@dataclass(frozen=True)
class TableOne:
    """Methods down, headings across; `notes` are (label, text) pairs that belong to the numbers."""

    setting: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    rule: RankRule
    notes: tuple[tuple[str, str], ...]

    @property
    def ranked_headings(self) -> tuple[Heading, ...]:
        """The columns that go into the average rank: see `rankable`."""
        return rankable(self.headings, [line.cells for line in self.lines])

    @property
    def rank_stamp(self) -> str:
        """The stamps of the average rank: those of any cell and any column that go into it."""
        cells = [cell.stamp for line in self.lines for cell in line.cells]
        columns = [heading.stamp for heading in self.ranked_headings]
        return "; ".join(filter(None, dict.fromkeys([*cells, *columns])))

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """(header group, number of neighbouring columns under it), from left to right."""
        runs: list[tuple[str, int]] = []
        for heading in self.headings:
            last, width = runs[-1] if runs else ("", 0)
            if heading.group == last:
                runs[-1] = (last, width + 1)
            else:
                runs.append((heading.group, 1))
        return tuple(runs)


def rankable(headings: Iterable[Heading], lines: Sequence[Sequence[Cell]]) -> tuple[Heading, ...]:
    """The columns that have a direction and in which at least one method is complete.

    A column that nobody has finished tells methods apart as little as one that was never asked.
    """
    return tuple(
        heading
        for index, heading in enumerate(headings)
        if heading.directed and any(cells[index].complete for cells in lines)
    )
