"""Result rows in, cells, ranks and tables out. Nothing here loads torch, pandas or matplotlib."""

from plumbline.aggregate.cells import Cell, Clean, cell, records
from plumbline.aggregate.columns import PLUMBING, Column, Heading
from plumbline.aggregate.controls import Control
from plumbline.aggregate.grid import Grid, GridRow, points_matching, validation_grid
from plumbline.aggregate.notes import gaps
from plumbline.aggregate.protocol import Choice, Entry, Pick, Protocol, at_selected, protocol
from plumbline.aggregate.ranks import Rank, RankRule, average_ranks, places
from plumbline.aggregate.table import Line, TableOne
from plumbline.aggregate.table_one import table_one

__all__ = [
    "PLUMBING",
    "Cell",
    "Choice",
    "Clean",
    "Column",
    "Control",
    "Entry",
    "Grid",
    "GridRow",
    "Heading",
    "Pick",
    "Protocol",
    "Line",
    "Rank",
    "RankRule",
    "TableOne",
    "at_selected",
    "average_ranks",
    "cell",
    "gaps",
    "places",
    "points_matching",
    "protocol",
    "records",
    "table_one",
    "validation_grid",
]
