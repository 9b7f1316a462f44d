"""Columns that a control breaks: one that learnt nothing, or the wrong thing, does well there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from plumbline.aggregate.cells import Cell
from plumbline.aggregate.columns import Heading
from plumbline.aggregate.ranks import SFT

#: Of a normal distribution, for 95 % on both sides.
Z = 1.96


@dataclass(frozen=True)
class Control:
    """like: the honest method that it is a control of; rivals: whom it must not beat."""

    like: str
    labels: str

    @property
    def rivals(self) -> tuple[str, ...]:
        """Its honest method, and SFT. Longer answers may beat SFT for what else they have."""
        return (self.like,) if self.labels == "longer" else (self.like, SFT)


def broken(
    headings: Sequence[Heading],
    cells: Mapping[str, Sequence[Cell]],
    controls: Mapping[str, Control],
    titles: Mapping[str, str],
) -> list[str]:
    """What breaks each column, in words, "" for nothing. controls: method -> what it controls."""
    return ["; ".join(breaks(i, h, cells, controls, titles)) for i, h in enumerate(headings)]


def breaks(
    index: int,
    heading: Heading,
    cells: Mapping[str, Sequence[Cell]],
    controls: Mapping[str, Control],
    titles: Mapping[str, str],
) -> Iterator[str]:
    """A phrase for each rival that a control beats in a column."""
    for name, control in controls.items():
        for rival in control.rivals:
            if rival in cells and beats(cells[name][index], cells[rival][index], heading.better):
                yield f"{titles.get(name, name)} beats {titles.get(rival, rival)}"


def beats(control: Cell, rival: Cell, better: str) -> bool:
    """Whether a control is better by more than noise, items and seeds taken as independent."""
    if not (control.complete and rival.complete and better in ("higher", "lower")):
        return False
    gain = (control.value - rival.value) * {"higher": 1, "lower": -1}[better]
    return gain > Z * sqrt(variance(control) + variance(rival))


def variance(cell: Cell) -> float:
    """Of a cell's mean: its items, asked of every seed alike, and its seeds."""
    return (cell.se or 0.0) ** 2 + (cell.spread or 0.0) ** 2 / cell.n_seeds
