"""A setting's section from rows: which figures, at which points."""

from dataclasses import replace

from plumbline.aggregate import Column, RankRule, table_one
from plumbline.report.section import Choices, section
from plumbline.schema import Prompts

CHOICES = Choices(
    select=Column("toyland", "win_rate", "Win rate"),
    length=Column("toyland", "length", "Length"),
    methods=("sft", "dpo"),
    titles={"dpo": "DPO"},
    feedback={"dpo": "pairs"},
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


def make(rows, curves, choices=CHOICES):
    table = table_one(rows, [choices.select], RankRule(), methods=choices.methods)
    return section(
        "Toyland", table, choices, rows=rows, dynamics=curves, selected=SELECTED, responses={}
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


def test_likelihoods_are_drawn_where_feedback_is_of_several_kinds():
    metrics = ("chosen_logprob", "rejected_logprob")
    alone = [row for metric in metrics for row in dynamics("beta=0.1", "probe", metric)]
    mixed = alone + [row | {"method": "kto"} for row in alone]
    both = replace(
        CHOICES, methods=("sft", "dpo", "kto"), feedback={"dpo": "pairs", "kto": "singles"}
    )
    for curves, expected in ((alone, []), (mixed, ["likelihoods_beta=0.1"])):
        rows = [*ROWS, row("kto", "beta=0.1", "validation", "win_rate", 3.0)]
        found = make(rows, curves, both)
        names = [picture.name for picture in found.pictures if "likelihoods" in picture.name]
        assert names == expected


def test_a_choice_of_prompts_has_its_figure_where_there_is_a_number():
    chosen = replace(CHOICES, prompts={"dpo": Prompts(reward="head", share=0.5)})
    assert [picture.name for picture in make(ROWS, [], chosen).pictures][-1] == "shares"
    assert make([], [], chosen).pictures == ()


def test_quality_is_drawn_against_what_is_asked_for():
    divergence = Column("reference_kl", "kl", "KL to the reference")
    rows = [*ROWS, row("dpo", "beta=0.1", "validation", "kl", 3.0) | {"benchmark": "reference_kl"}]
    for against, names in (((divergence,), ["frontier", "frontier_kl"]), ((), ["frontier"])):
        found = make(rows, [], replace(CHOICES, against=against))
        assert [picture.name for picture in found.pictures] == [*names, "ranks"]


def test_without_any_row_a_section_is_a_table_of_gaps():
    found = make([], [])
    assert found.pictures == ()
    assert found.grid is None
    assert [line.cells[0].status for line in found.table.lines] == ["not_run", "not_run"]
