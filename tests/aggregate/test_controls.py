"""Columns that a control breaks. Source of the expected verdicts: by hand, stated beside them."""

import pytest

from plumbline.aggregate import Cell, Column, Control, RankRule, table_one
from plumbline.aggregate.controls import beats
from plumbline.report.words import heading_text

WIN = Column("toyland", "win_rate", "Win rate", "Toyland")
CONTROLS = {
    "dpo_random": Control("dpo", "random"),
    "dpo_longer": Control("dpo", "longer"),
}


def cell(value, se=1.0, spread=0.0, seeds=2):
    return Cell(value, spread, seeds, "ok", se=se)


@pytest.mark.parametrize(
    ("control", "rival", "expected"),
    [
        (cell(12.7), cell(10.0), False),  # noise: 1.96 * sqrt(1 + 1) = 2.77
        (cell(12.8), cell(10.0), True),
        (cell(12.8, spread=2.0), cell(10.0), False),  # 1.96 * sqrt(1 + 1 + 4 / 2) = 3.92
        (cell(14.0, spread=2.0), cell(10.0), True),
        (Cell(99.0, None, 1, "incomplete"), cell(10.0), False),
        (Cell(10.5, None, 1, "ok"), Cell(10.0, None, 1, "ok"), True),  # nobody told any noise
    ],
)
def test_better_by_more_than_noise(control, rival, expected):
    assert beats(control, rival, "higher") is expected
    assert not beats(control, rival, "none")


def test_lower_is_better_where_the_metric_says_so():
    assert beats(cell(5.0), cell(10.0), "lower") and not beats(cell(10.0), cell(5.0), "lower")


def table(row, **values):
    rows = [row(method, value, se=1.0) for method, value in values.items()]
    return table_one(rows, [WIN], RankRule(), controls=CONTROLS, titles={"dpo": "DPO"})


def test_random_labels_that_beat_sft_break_a_column(row):
    made = table(row, sft=10.0, dpo=20.0, dpo_random=15.0, dpo_longer=15.0)
    assert made.headings[0].broken == "dpo_random beats SFT"
    assert heading_text(made, made.headings[0]) == "Win rate‡ ↑"
    assert dict(made.notes)["‡ Broken by a control"] == "Toyland Win rate: dpo_random beats SFT"


def test_any_control_that_beats_its_own_method_breaks_a_column(row):
    made = table(row, sft=30.0, dpo=20.0, dpo_random=25.0, dpo_longer=25.0)
    assert made.headings[0].broken == "dpo_random beats DPO; dpo_longer beats DPO"


def test_a_column_that_no_control_breaks_says_nothing(row):
    made = table(row, sft=10.0, dpo=20.0, dpo_random=9.0, dpo_longer=19.0)
    assert made.headings[0].broken == "" and "‡ Broken by a control" not in dict(made.notes)
