"""Table 1 from rows. Source of the expected numbers: by hand, stated beside them."""

import pandas as pd
import pytest

from plumbline.aggregate import Column, RankRule, gaps, table_one, validation_grid
from plumbline.errors import DataError

WIN = Column("toyland", "win_rate", "Win rate", "Toyland")
LENGTH = Column("toyland", "length", "Length")
SCORE = Column("mt_bench", "score", "Score", "MT-Bench")


@pytest.fixture
def rows(row):
    """SFT with one seed, two methods with two: means 10, 21 and 20."""
    length = {"metric": "length", "better": "none"}
    return [
        row("sft", 10.0),
        row("dpo", 20.0),
        row("dpo", 22.0, seed=1),
        row("pro_p", 19.0),
        row("pro_p", 21.0, seed=1),
        *(row(name, 9.0, seed=seed, **length) for name in ("dpo", "pro_p") for seed in (0, 1)),
        row("sft", 9.0, **length),
        row("dpo", 99.0, split="validation", point="beta=0.3"),
    ]


def lines_of(table):
    return {line.method: line for line in table.lines}


def test_cells_ranks_and_marks(rows):
    table = table_one(rows, [WIN, LENGTH], RankRule(), titles={"dpo": "DPO"})
    lines = lines_of(table)
    assert [line.title for line in table.lines] == ["SFT", "DPO", "pro_p"]
    assert [lines[name].cells[0].value for name in lines] == [10.0, 21.0, 20.0]
    assert [lines[name].cells[0].best for name in lines] == [False, True, False]
    assert [lines[name].rank.value for name in lines] == [3.0, 1.0, 2.0]
    assert lines["dpo"].point == "beta=0.1"
    assert table.groups == (("Toyland", 1), ("toyland", 1))


def test_a_number_that_is_no_quality_is_neither_ranked_nor_best(rows):
    table = table_one(rows, [WIN, LENGTH], RankRule())
    assert not any(line.cells[1].best for line in table.lines)
    assert len(lines_of(table)["dpo"].rank.places) == 1


def test_a_barred_method_stands_in_the_table_and_outside_of_the_contest(rows):
    table = table_one(rows, [WIN], RankRule(barred={"dpo": "fidelity: unverified"}))
    lines = lines_of(table)
    assert lines["dpo"].cells[0].value == 21.0 and lines["dpo"].rank.value is None
    assert [lines[name].rank.value for name in ("pro_p", "sft")] == [1.0, 2.0]
    assert [lines[name].cells[0].best for name in ("dpo", "pro_p")] == [False, True]
    assert "dpo: – (fidelity: unverified)" in dict(table.notes)["Average rank"]


def test_who_has_one_model_has_no_gap_for_the_other_seeds(rows, row):
    given = [row("elsewhere", 30.0, point="default")]
    table = table_one(rows + given, [WIN], RankRule(), single=("sft", "elsewhere"))
    assert lines_of(table)["elsewhere"].cells[0].complete
    assert not lines_of(table_one(rows + given, [WIN], RankRule()))["elsewhere"].cells[0].complete


def test_where_nobody_is_ranked_the_note_says_so(row):
    table = table_one([row("npo", 5.0)], [WIN], RankRule(barred={"npo": "unlearning"}))
    assert dict(table.notes)["Average rank"] == "Nobody is ranked; npo: – (unlearning)."


def test_data_frames_give_the_same_table(rows):
    assert table_one(pd.DataFrame(rows), [WIN], RankRule()) == table_one(rows, [WIN], RankRule())


def test_lower_is_better_where_the_rows_say_so(row):
    rows = [row("dpo", 3.0, better="lower"), row("kto", 2.0, better="lower")]
    lines = lines_of(table_one(rows, [WIN], RankRule()))
    assert lines["kto"].rank.value == 1.0
    assert lines["kto"].cells[0].best


def test_a_seed_that_rivals_have_is_a_gap(rows):
    """pro_p loses seed 1: its 19.0 stays to be seen, but neither ranks nor counts as best."""
    rows = [r for r in rows if (r["method"], r["seed"], r["metric"]) != ("pro_p", 1, "win_rate")]
    table = table_one(rows, [WIN], RankRule())
    line = lines_of(table)["pro_p"]
    assert (line.cells[0].value, line.cells[0].status) == (19.0, "not_run")
    assert line.rank.value is None
    assert gaps(table) == ["pro_p, every column: not run, mean of 1 seed (no row for seed 1)"]


def test_a_diverged_method_keeps_its_line(row):
    rows = [row("dpo", 1.0), row("kto", None, status="diverged", reason="step 9")]
    table = table_one(rows, [WIN, SCORE], RankRule(), methods=("dpo", "kto", "nca"))
    lines = lines_of(table)
    assert [cell.status for cell in lines["kto"].cells] == ["diverged", "not_run"]
    assert [cell.status for cell in lines["nca"].cells] == ["not_run", "not_run"]
    assert [lines[name].rank.value for name in lines] == [1.0, None, None]


def test_a_column_that_nobody_finished_is_not_ranked(row):
    refused = {"benchmark": "mt_bench", "metric": "score", "status": "refused"}
    rows = [row("dpo", 1.0), row("kto", 2.0), row("dpo", None, **refused)]
    table = table_one(rows, [WIN, SCORE], RankRule())
    assert {line.method: line.rank.value for line in table.lines} == {"dpo": 2.0, "kto": 1.0}
    assert "Mean over 1 column of" in dict(table.notes)["Average rank"]


def test_judges_never_share_a_column(row):
    """A gap was judged by nobody, so it shows under both."""
    judged = {"benchmark": "mt_bench", "metric": "score"}
    rows = [
        row("dpo", 5.0, judge="gold", judge_version="1", **judged),
        row("kto", 9.0, judge="gold", judge_version="2", **judged),
        row("nca", None, status="refused", **judged),
    ]
    table = table_one(rows, [SCORE], RankRule())
    assert [heading.judge_label for heading in table.headings] == ["gold 1", "gold 2"]
    values = {line.method: [cell.value for cell in line.cells] for line in table.lines}
    assert values == {"dpo": [5.0, None], "kto": [None, 9.0], "nca": [None, None]}
    assert [cell.status for cell in lines_of(table)["nca"].cells] == ["refused", "refused"]


def test_plumbing_is_stamped(row):
    rows = [row("dpo", 5.0, judge="surface-judge", judge_version="1")]
    table = table_one(rows, [WIN], RankRule())
    assert table.headings[0].stamp == table.rank_stamp == "plumbing, not a measurement"
    notes = dict(table.notes)
    assert "surface-judge 1 (plumbing, not a measurement)" in notes["Judges"]
    assert "plumbing, not a measurement" in notes["Average rank"]


def test_a_stamp_goes_into_every_cell_and_the_rank(row):
    rows = [row("dpo", 5.0, judge="surface-judge", judge_version="1"), row("sft", 4.0)]
    table = table_one(rows, [WIN], RankRule(), stamp="scratch model")
    assert {cell.stamp for line in table.lines for cell in line.cells} == {"scratch model"}
    assert table.rank_stamp == "scratch model; plumbing, not a measurement"
    grid = validation_grid([row("dpo", 5.0, split="validation")], WIN, selected={}, stamp="s")
    assert {cell.stamp for line in grid.rows for cell in line.cells.values()} == {"s"}


def test_notes_say_what_the_numbers_are(rows):
    table = table_one(rows, [WIN], RankRule(), facts={"Data": "made up"})
    notes = dict(table.notes)
    assert notes["Cells"].startswith("Mean over seeds 0, 1 ± sample standard deviation")
    assert notes["Data"] == "made up"
    assert notes["Average rank"] == (
        "Mean over 1 column of the place among dpo, pro_p; ties share the better rank; "
        "SFT is not ranked and stands last."
    )
    assert "Gaps" not in notes
    assert not any("Contaminated" in label for label in notes)


def test_contaminated_columns_are_counted_once_and_ranked_as_they_are(rows, row):
    """Without its contaminated items dpo would lose to pro_p; it keeps its place and its bold."""
    counted = {"n_contaminated": 5, "clean_value": 1.0}
    given = [row | counted if row["method"] == "dpo" else row for row in rows]
    given += [
        row("kto", 8.0, seed=seed, n=98, n_contaminated=4, clean_value=8.0) for seed in (0, 1)
    ]
    table = table_one(given, [WIN, LENGTH], RankRule(), methods=["sft", "dpo", "pro_p", "kto"])
    dpo = lines_of(table)["dpo"]
    assert (dpo.cells[0].clean.value, dpo.cells[0].best, dpo.rank.value) == (1.0, True, 1.0)
    assert dict(table.notes)["† Contaminated"] == (
        "Toyland Win rate: 5 of 100 items also in the training prompts; "
        "Toyland Win rate: 4 of 98 items also in the training prompts; "
        "toyland Length: 5 of 100 items also in the training prompts; "
        "in brackets the number without them, – where there is none"
    )


@pytest.mark.parametrize("key", ["setting", "point"])
def test_rows_that_do_not_belong_together_are_refused(row, key):
    rows = [row("dpo", 1.0, **{key: "other"}), row("dpo", 1.0, seed=1)]
    with pytest.raises(DataError, match=f"{key} takes 2 values"):
        table_one(rows, [WIN], RankRule())


def test_no_rows_make_an_empty_table():
    table = table_one([], [WIN], RankRule())
    assert table.lines == ()
    assert len(table.headings) == 1
