"""The validation grid."""

from plumbline.aggregate import Column, points_matching, validation_grid

WIN = Column("toyland", "win_rate", "Win rate")


def test_methods_by_points_with_the_selected_one_marked(row):
    """By hand: two seeds of dpo at 0.1, 20 and 22; 1.0 sorts after 0.03, not before."""
    validation = {"split": "validation"}
    rows = [
        row("dpo", 5.0, point="beta=1.0", **validation),
        row("dpo", 20.0, point="beta=0.1", **validation),
        row("dpo", 22.0, point="beta=0.1", seed=1, **validation),
        row("pro_b", 1.0, point="alpha=2.5,beta=0.03", **validation),
        row("pro_b", 2.0, point="alpha=2.5,beta=0.1", **validation),
        row("dpo", 99.0, point="beta=0.3"),
        row("sft", 3.0, **validation),
    ]
    selected = {"dpo": "beta=0.1", "pro_b": "alpha=2.5,beta=0.03"}
    grid = validation_grid(rows, WIN, selected=selected, titles={"dpo": "DPO"})
    dpo, pro_b, sft = grid.rows
    assert grid.labels == ("default", "beta=0.03", "beta=0.1", "beta=1.0")
    assert (dpo.title, dpo.fixed, dpo.selected) == ("DPO", "", "beta=0.1")
    assert dpo.cells["beta=0.1"].value == 21.0
    assert (pro_b.fixed, pro_b.selected) == ("alpha=2.5", "beta=0.03")
    assert pro_b.points["beta=0.03"] == "alpha=2.5,beta=0.03"
    assert (sft.title, list(sft.cells), sft.selected) == ("SFT", ["default"], "")
    assert grid.better == "higher"


def test_points_are_found_by_their_parts():
    points = {
        "dpo": ["beta=0.3", "beta=0.1"],
        "pro_b": ["alpha=10.0,beta=0.1", "alpha=2.5,beta=0.1"],
        "simpo": ["beta=2.0,gamma=1.0"],
        "sft": ["default"],
    }
    found = points_matching(points, "beta=0.1")
    assert found == {"dpo": "beta=0.1", "pro_b": "alpha=10.0,beta=0.1"}
