"""A setting's section from rows: which figures, at which points."""

from dataclasses import replace

from plumbline.aggregate import Column, RankRule
from plumbline.report.section import Choices, section

CHOICES = Choices(
    columns=(Column("toyland", "win_rate", "Win rate"),),
    rank=RankRule(),
    select=Column("toyland", "win_rate", "Win rate"),
    length=Column("toyland", "length", "Length"),
    methods=("sft", "dpo"),
    titles={"dpo": "DPO"},
    dynamics_point="beta=0.1",
)
SELECTED = {"sft": "default", "dpo": "beta=0.3"}


def row(method, point, split, metric, value):
    return {
        "setting": "toyland-0a1b2c3d", "method": method, "point": point, "seed": 0, "split": split,
        "benchmark": "toyland", "version": "1", "metric": metric, "value": value,
        "better": "none" if metric == "length" else "higher", "se": None, "n": 1, "n_expected": 1,
        "status": "ok", "reason": None, "judge": None, "judge_version": None,
    }  # fmt: skip


ROWS = [
    row("sft", "default", "validation", "win_rate", 10.0),
    row("sft", "default", "test", "win_rate", 11.0),
    row("dpo", "beta=0.1", "validation", "win_rate", 20.0),
    row("dpo", "beta=0.1", "validation", "length", 9.0),
    row("dpo", "beta=0.3", "validation", "win_rate", 30.0),
    row("dpo", "beta=0.3", "validation", "length", 8.0),
    row("dpo", "beta=0.3", "test", "win_rate", 29.0),
]


def dynamics(point, split, metric):
    return [
        {"method": "dpo", "point": point, "seed": 0, "step": step, "examples": step,
         "split": split, "metric": metric, "value": float(step)}
        for step in range(3)
    ]  # fmt: skip


def make(rows, curves):
    return section(
        "Toyland", CHOICES, rows=rows, dynamics=curves, selected=SELECTED, responses={}, facts={}
    )


def test_figures_are_drawn_where_there_are_rows():
    curves = [
        *dynamics("beta=0.1", "probe", "chosen_logratio"),
        *dynamics("beta=0.1", "probe", "rejected_logratio"),
        *dynamics("beta=0.3", "validation", "length"),
    ]
    found = make(ROWS, curves)
    assert [picture.name for picture in found.pictures] == [
        "log_ratios_beta=0.1",
        "progress_selected_point",
        "frontier",
        "ranks",
    ]
    assert all(picture.png.startswith(b"\x89PNG") for picture in found.pictures)
    assert [line.cells[0].value for line in found.table.lines] == [11.0, 29.0]
    assert found.grid.rows[1].selected == "beta=0.3"


def test_quality_is_drawn_against_what_is_asked_for():
    divergence = Column("reference_kl", "kl", "KL to the reference")
    rows = [*ROWS, row("dpo", "beta=0.1", "validation", "kl", 3.0) | {"benchmark": "reference_kl"}]
    for against, names in (((divergence,), ["frontier", "frontier_kl"]), ((), ["frontier"])):
        choices = replace(CHOICES, against=against)
        empty = {"dynamics": [], "selected": SELECTED, "responses": {}, "facts": {}}
        found = section("Toyland", choices, rows=rows, **empty)
        assert [picture.name for picture in found.pictures] == [*names, "ranks"]


def test_without_any_row_a_section_is_a_table_of_gaps():
    found = make([], [])
    assert found.pictures == ()
    assert found.grid is None
    assert [line.cells[0].status for line in found.table.lines] == ["not_run", "not_run"]
