"""What picking on test adds. Source of the expected numbers: by hand, stated beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from plumbline.aggregate import Column, RankRule, at_selected, protocol, table_one
from plumbline.aggregate.protocol import interval

WIN = Column("toyland", "win_rate", "Win rate", "Toyland")
HARM = Column("toyland", "harm", "Harm", "Toyland")
SELECTED = {"sft": "default", "dpo": "beta=0.1", "nca": "beta=0.3"}
#: method -> point -> (win rate, harm).
GRID = {
    "sft": {"default": (10.0, 5.0)},
    "dpo": {"beta=0.1": (20.0, 4.0), "beta=0.3": (24.0, 6.0)},
    "nca": {"beta=0.1": (22.0, 3.0), "beta=0.3": (21.0, 2.0)},
}


@pytest.fixture
def rows(row):
    """Every point of the grid on test, one seed; harm is better lower."""
    return [
        row(method, value, point=point, metric=metric, better=better)
        for method, points in GRID.items()
        for point, values in points.items()
        for metric, better, value in zip(
            ("win_rate", "harm"), ("higher", "lower"), values, strict=True
        )
    ]


def item(row, number, value):
    return {**row, "item": f"i{number}", "turn": None, "value": value}


@pytest.fixture
def items(rows):
    """Two items to each number: 1 below it and 1 above."""
    return [
        item(row, number, row["value"] + shift)
        for row in rows
        for number, shift in ((0, -1.0), (1, 1.0))
    ]


def build(rows, items, selected=SELECTED, budget=2):
    columns = [WIN, HARM]
    table = table_one(at_selected(rows, selected), columns, RankRule(), methods=list(GRID))
    defaults = {"dpo": "beta=0.1", "nca": "beta=0.9"}
    return protocol(rows, items, table, defaults=defaults, single=("sft",), budget=budget)


def entries(found):
    return {(entry.title, entry.heading.column.metric): entry for entry in found.entries}


def test_optimism_is_the_best_of_the_grid_less_the_selected_point(rows, items):
    found = entries(build(rows, items))
    dpo = found["dpo", "win_rate"]
    assert (dpo.selected.value, dpo.best.value, dpo.best.point) == (20.0, 24.0, "beta=0.3")
    assert dpo.optimism == 4.0
    assert found["dpo", "harm"].optimism == 0.0  # 4 is the lower harm, and was selected
    assert found["nca", "win_rate"].optimism == 1.0
    assert ("SFT", "win_rate") not in found  # one point: nothing to pick


def test_the_default_point_stands_where_the_grid_has_it(rows, items):
    found = entries(build(rows, items))
    assert found["dpo", "win_rate"].default.value == 20.0
    assert found["nca", "win_rate"].default is None


def test_ranks_by_each_way_of_choosing_by_hand(rows, items):
    """Selected: win 20 to 21, harm 4 to 2, so NCA is first twice. Best per column: win 24 to 22,
    harm 4 to 2, so both are at 1.5. Best point: DPO's places are 2 and 1 at 0.1, 1 and 2 at 0.3, so
    that the first of two equals is 0.1; NCA's likewise, so 0.1: win 20 to 22, harm 4 to 3."""
    ranks = {choice.title: choice.ranks for choice in build(rows, items).choices}
    assert {way: rank.value for way, rank in ranks["nca"].items()} == {
        "selected": 1.0,
        "best point": 1.0,
        "best per column": 1.5,
    }
    assert ranks["dpo"]["selected"].value == 2.0
    assert ranks["dpo"]["best per column"].value == 1.5
    assert ranks["SFT"]["selected"].value == 3.0


def test_the_best_point_and_the_points_tried_are_told(rows, items):
    choices = {choice.title: choice for choice in build(rows, items).choices}
    assert choices["dpo"].points["best point"] == "beta=0.1" and choices["dpo"].tried == 2
    assert choices["SFT"].tried == 1 and not choices["SFT"].fewer


def test_who_could_have_tried_more_is_marked_and_sft_is_not(rows, items):
    found = build(rows, items, budget=3).choices
    assert {choice.title for choice in found if choice.fewer} == {"dpo", "nca"}


def test_with_equal_shifts_in_all_points_the_interval_is_the_number(rows, items):
    """Every resample moves both points alike, so their difference stays."""
    dpo = entries(build(rows, items))["dpo", "win_rate"]
    assert (dpo.low, dpo.high) == pytest.approx((4.0, 4.0))


def test_a_number_that_is_no_mean_of_its_items_has_no_interval(rows, items):
    strange = [{**each, "value": 2 * each["value"]} for each in items]
    dpo = entries(build(rows, strange))["dpo", "win_rate"]
    assert dpo.optimism == 4.0 and dpo.low is None and dpo.high is None


def test_a_point_without_all_seeds_is_no_candidate(rows, items, row):
    more = [*rows, row("nca", 30.0, point="beta=0.3", seed=1)]
    found = entries(build(more, items))
    assert found["dpo", "win_rate"].best is None and found["dpo", "win_rate"].optimism is None


@given(arrays(float, (3, 7), elements=st.floats(0, 100)), st.integers(0, 2))
def test_an_interval_is_never_negative_and_holds_what_all_items_give(values, selected):
    low, high = interval(values, selected, "higher")
    assert 0 <= low <= high <= np.ptp(values) + 1e-9
    same = interval(np.repeat(values[:1], 3, axis=0), selected, "lower")
    assert same == pytest.approx((0, 0), abs=1e-9)


def test_two_items_by_hand():
    """Points (0, 4) and (2, 2) over two items, the second selected: of resamples a quarter takes
    only the first item (gain 0), a quarter only the second (gain 2), half both (gain 0)."""
    assert interval(np.array([[0.0, 4.0], [2.0, 2.0]]), 1, "higher") == (0.0, 2.0)


def test_tables_show_the_selected_point_of_test_and_all_of_validation(rows, row):
    others = [row("dpo", 1.0, split="validation", point=point) for point in GRID["dpo"]]
    kept = at_selected([*rows, *others], SELECTED)
    test = [(each["method"], each["point"]) for each in kept if each["split"] == "test"]
    assert set(test) == set(SELECTED.items()) and len(test) == 6
    assert len(kept) == 8


def test_where_nothing_could_be_selected_every_number_is_a_gap(rows):
    kept = [each for each in at_selected(rows, {**SELECTED, "dpo": ""}) if each["method"] == "dpo"]
    assert len(kept) == 2 and {each["point"] for each in kept} == {None}
    assert {each["status"] for each in kept} == {"diverged"}
    assert {each["value"] for each in kept} == {None}
