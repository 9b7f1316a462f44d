"""Average ranks.

Source of the table: arXiv:2505.23316, Table 1 (all six rows, seven columns and the printed column).
"""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.aggregate import RankRule, average_ranks, places
from plumbline.errors import ConfigError

COLUMNS = ("lc", "wr", "mt_bench", "arc", "ifeval", "truthfulqa", "gpqa")
TABLE = {
    "sft": (8.69, 4.29, 4.87, 51.54, 2.40, 42.23, 29.02),
    "dpo": (18.36, 19.80, 5.52, 61.77, 19.22, 43.45, 32.04),
    "kto": (17.39, 14.60, 5.98, 55.38, 25.69, 41.00, 33.04),
    "nca": (17.21, 13.43, 6.03, 58.62, 26.43, 42.35, 32.14),
    "pro_p": (20.21, 19.56, 6.06, 61.26, 29.02, 43.81, 32.59),
    "pro_b": (20.46, 21.48, 6.06, 59.81, 30.13, 42.72, 32.81),
}
PRINTED = {"sft": 6.0, "dpo": 3.3, "kto": 3.9, "nca": 4.0, "pro_p": 2.0, "pro_b": 1.7}


def published():
    return {name: dict(zip(COLUMNS, row, strict=True)) for name, row in TABLE.items()}


def ranks_by(rule: RankRule, table=None):
    table = table or published()
    columns = dict.fromkeys(next(iter(table.values())), "higher")
    found = average_ranks(
        table,
        ranked=rule.ranked(table),
        columns=columns,
        ties=rule.ties,
        unranked=rule.unranked,
    )
    return {name: rank.value for name, rank in found.items()}


def test_the_default_rule_gives_the_papers_printed_column():
    ours = ranks_by(RankRule())
    assert {name: round(value, 1) for name, value in ours.items()} == PRINTED


def test_ranking_all_rows_does_not():
    """Source: SFT beats KTO on TruthfulQA, so SFT is (6*6 + 5)/7 and KTO's 3.857 becomes 28/7."""
    ours = ranks_by(RankRule(rows="all"))
    assert ours["sft"] == pytest.approx(41 / 7)
    assert ours["kto"] == pytest.approx(4.0)
    assert {n: round(ours[n], 1) for n in ("dpo", "nca", "pro_p", "pro_b")} == {
        "dpo": 3.3,
        "nca": 4.0,
        "pro_p": 2.0,
        "pro_b": 1.7,
    }


def test_the_typed_table_is_the_shared_one(shared_data: Path):
    path = shared_data.parent / "reference" / "published" / "table1.csv"
    if not path.is_file():
        pytest.skip(f"published table absent: no file {path}")
    with open(path) as file:
        rows = [{key: value for key, value in row.items()} for row in csv.DictReader(file)]
    typed = {name.replace("_", "-").upper(): row for name, row in TABLE.items()}
    for row in rows:
        name, *values, printed = row.values()
        assert tuple(map(float, values)) == typed[name]
        assert float(printed) == PRINTED[name.replace("-", "_").lower()]


def test_ties_share_the_better_rank_or_the_mean_of_theirs():
    values = {"a": 6.06, "b": 6.06, "c": 5.0}
    assert places(values, "higher", "min") == {"a": 1, "b": 1, "c": 3}
    assert places(values, "higher", "average") == {"a": 1.5, "b": 1.5, "c": 3}
    assert places(values, "lower", "min") == {"a": 2, "b": 2, "c": 1}


def test_the_order_of_summation_does_not_break_a_tie():
    """0.1 + 0.2 is 0.30000000000000004 in binary floating point."""
    assert places({"a": 0.1 + 0.2, "b": 0.3}, "higher") == {"a": 1, "b": 1}


def test_a_gap_takes_its_method_out_of_every_column():
    """By hand: without dpo, kto is first of two in both columns; with it, it would be 1 and 2."""
    table = {"dpo": {"x": None, "y": 9.0}, "kto": {"x": 2.0, "y": 2.0}, "nca": {"x": 1.0, "y": 1.0}}
    found = average_ranks(table, ranked=table, columns={"x": "higher", "y": "higher"})
    assert found["dpo"].value is None
    assert found["dpo"].reason == "gaps in 1 of 2 columns"
    assert found["kto"].places == (1.0, 1.0)
    assert found["nca"].value == 2.0


def test_unranked_methods_share_the_place_below_or_get_a_dash():
    table = {"a": {"x": 3.0}, "b": {"x": 2.0}, "sft": {"x": 9.0}, "control": {"x": 8.0}}
    columns = {"x": "higher"}
    last = average_ranks(table, ranked=("a", "b"), columns=columns)
    assert last["sft"].value == last["control"].value == 3.0
    mean = average_ranks(table, ranked=("a", "b"), columns=columns, ties="average")
    assert mean["sft"].value == mean["control"].value == 3.5
    omitted = average_ranks(table, ranked=("a", "b"), columns=columns, unranked="omit")
    assert omitted["sft"].value is None
    assert omitted["a"].value == 1.0


def test_without_a_column_nobody_has_a_rank():
    found = average_ranks({"a": {}, "sft": {}}, ranked=("a",), columns={})
    assert found["a"].value is None
    assert found["sft"].value is None


def test_a_rule_that_names_nobody_says_who_there_is():
    with pytest.raises(ConfigError, match=r"report\.rank\.rows: unknown dop;.*dpo, kto"):
        RankRule(rows=("dop",)).ranked(("dpo", "kto"))


names = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)
tables = names.flatmap(
    lambda methods: st.fixed_dictionaries(
        {name: st.fixed_dictionaries(dict.fromkeys("xyz", st.integers(0, 4))) for name in methods}
    )
)


@given(tables)
def test_average_ties_conserve_the_sum_of_places(table):
    """The places of n methods add up to n(n+1)/2 in every column, however they tie."""
    found = average_ranks(
        table, ranked=table, columns=dict.fromkeys("xyz", "higher"), ties="average"
    )
    count = len(table)
    for column in range(3):
        assert sum(rank.places[column] for rank in found.values()) == count * (count + 1) / 2


@given(tables)
def test_ranks_read_nothing_but_the_order(table):
    squared = {name: {c: v**2 for c, v in row.items()} for name, row in table.items()}
    negated = {name: {c: -v for c, v in row.items()} for name, row in table.items()}
    ranks = average_ranks(table, ranked=table, columns=dict.fromkeys("xyz", "higher"))
    assert average_ranks(squared, ranked=table, columns=dict.fromkeys("xyz", "higher")) == ranks
    assert average_ranks(negated, ranked=table, columns=dict.fromkeys("xyz", "lower")) == ranks


def test_a_barred_method_is_never_ranked_however_it_is_named():
    barred = {"npo": "unlearning"}
    assert RankRule(barred=barred).ranked(("sft", "dpo", "npo")) == ("dpo",)
    assert RankRule(rows="all", barred=barred).ranked(("sft", "dpo", "npo")) == ("sft", "dpo")
    assert RankRule(rows=("npo", "dpo"), barred=barred).ranked(("dpo", "npo")) == ("dpo",)
