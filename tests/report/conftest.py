"""A small made-up table and grid; nothing here was measured."""

import numpy as np
import pytest

from plumbline.aggregate import (
    Cell,
    Choice,
    Column,
    Entry,
    Grid,
    GridRow,
    Heading,
    Line,
    Pick,
    Protocol,
    Rank,
    RankRule,
    TableOne,
)
from plumbline.aggregate.uncertainty import Certainty, Contest, Gap, Standing, Uncertainty
from plumbline.stats.blocks import Friedman
from plumbline.stats.missing import Bounds

WIN = Column("toyland", "win_rate", "Win rate", "Toyland")
SCORE = Column("mt_bench", "score", "Score", "MT-Bench", digits=1)


@pytest.fixture
def table() -> TableOne:
    """SFT with one seed; DPO with three, best on wins; <b>&KTO, which diverged."""
    headings = (
        Heading(WIN, "higher", "1", "toyland-gold", "1"),
        Heading(SCORE, "higher", "2", "surface-judge", "1"),
    )
    diverged = Cell(None, None, 0, "diverged", 'loss is "nan" at step 9')
    lines = (
        Line("sft", "SFT", "default", (Cell(12.345, None, 1, "ok"), Cell(4.0, None, 1, "ok")),
             Rank(2.0, (), "not ranked, put last")),
        Line("dpo", "DPO", "beta=0.1",
             (Cell(20.5, 1.25, 3, "ok", best=True),
              Cell(6.04, 0.06, 3, "incomplete", "1 judgment missing")),
             Rank(1.0, (1.0,))),
        Line("kto", "<b>&K|TO_$", "beta=0.1", (diverged, diverged),
             Rank(None, (), "gaps in 2 of 2 columns")),
    )  # fmt: skip
    notes = (("Data", "50 % made up & <i>escaped</i>"),)
    return TableOne("toyland-0a1b2c3d", headings, lines, RankRule(), notes)


@pytest.fixture
def grid() -> Grid:
    """DPO at two points, the second selected; PRO-B at one of them; SFT."""
    cells = {"beta=0.1": Cell(10.0, 1.0, 3, "ok"), "beta=0.3": Cell(20.0, 2.0, 3, "ok")}
    points = {"beta=0.1": "alpha=2.5,beta=0.1"}
    return Grid(
        WIN,
        "higher",
        ("default", "beta=0.1", "beta=0.3"),
        (
            GridRow("sft", "SFT", "", {"default": Cell(5.0, None, 1, "ok")}, {"default": "default"},
                    "default"),
            GridRow("dpo", "DPO", "", cells, {name: name for name in cells}, "beta=0.3"),
            GridRow("pro_b", "PRO-B", "alpha=2.5", {"beta=0.1": Cell(None, None, 0, "diverged")},
                    points, ""),
        ),
    )  # fmt: skip


@pytest.fixture
def ways() -> Protocol:
    """<b>&DPO, which test would have moved; NCA, which tried one point, has no default and whose
    number is no mean over items."""
    win = Heading(WIN, "higher", "1")
    points = {"selected": "beta=0.1", "best point": "beta=0.3", "best per column": ""}
    ranks = {
        "selected": Rank(2.0, (2.0,)),
        "best point": Rank(1.0, (1.0,)),
        "best per column": Rank(None, (), "gaps"),
    }
    alone = Pick("tau=1.0", 18.0)
    return Protocol(
        entries=(
            Entry("<b>&DPO", win, Pick("beta=0.1", 20.125), Pick("beta=0.3", 21.5),
                  Pick("beta=0.1", 20.125), 0.0, 2.75),
            Entry("NCA", win, alone, alone, None),
        ),
        choices=(Choice("<b>&DPO", 3, False, points, ranks), Choice("NCA", 1, True, points, ranks)),
        budget=3,
    )  # fmt: skip


@pytest.fixture
def sure() -> Uncertainty:
    """<b>&DPO, with two items missing, against NCA, the best."""
    heading = Heading(WIN, "higher", "1")
    gap = Gap("NCA", -1.5, -3.0, 0.25, -0.2, 0.42, 512.0, 9.0)
    lost = Bounds(20.125, 20.0, 21.0, 2)
    cells = (
        Certainty(heading, "<b>&DPO", 20.125, 18.5, 21.75, 3.2, 2, 100, gap, lost),
        Certainty(heading, "NCA", 21.625, 20.0, 23.25, 3.2, 2, 100, None, None),
    )
    standings = (
        Standing("dpo", "<b>&DPO", 2.0, 1.0, 2.0, ((1, 2),), 0.25),
        Standing("nca", "NCA", 1.0, 1.0, 2.0, ((1, 2),), 0.75),
    )
    contest = Contest((heading,), standings, 0.4, 2.3, ((heading.key,),), None)
    return Uncertainty(cells, contest)


@pytest.fixture
def friedman() -> Friedman:
    return Friedman(3, np.array([1.0, 2.0, 3.0]), 4.67, 0.097, 1.91)
