"""Numbers against what differs between settings or variants, on made-up rows."""

import pytest

from plumbline.aggregate import Column
from plumbline.report.styles import Style
from plumbline.report.sweep import Place, sweep, sweep_picture

WINS, LENGTH = Column("toyland", "win_rate", "Win rate"), Column("toyland", "length", "Words")
STYLES = {"dpo": Style("DPO", "#111111"), "sft": Style("SFT", "#222222")}
#: Two settings that differ in the annotator's taste; SFT has a value in neither.
PLACES = {
    ("short", "dpo"): Place("dpo", 0.0),
    ("long", "dpo"): Place("dpo", 0.03),
    ("short", "sft"): Place("sft", None),
}


def row(setting, method, seed, metric, value, split="test"):
    return {
        "setting": setting, "method": method, "seed": seed, "split": split,
        "benchmark": "toyland", "metric": metric, "value": value,
    }  # fmt: skip


ROWS = [
    row("short", "dpo", 0, "win_rate", 30.0),
    row("short", "dpo", 1, "win_rate", 34.0),
    row("long", "dpo", 0, "win_rate", 40.0),
    row("long", "dpo", 1, "win_rate", 50.0),
    row("long", "dpo", 1, "win_rate", 99.0, split="validation"),
    row("short", "sft", 0, "win_rate", 25.0),
    row("long", "dpo", 0, "length", None),
]


@pytest.fixture
def axes():
    figure = sweep(ROWS, [WINS, LENGTH], PLACES, STYLES, "Taste", "linear")
    return figure.axes


def test_a_line_is_the_mean_over_seeds_of_test_at_each_value(axes):
    wins, length = axes
    [path] = [line for line in wins.get_lines() if list(line.get_xdata()) == [0.0, 0.03]][:1]
    assert list(path.get_ydata()) == [32.0, 45.0]
    [band] = wins.collections
    corners = {tuple(point) for point in band.get_paths()[0].vertices}
    assert {(0.0, 30.0), (0.0, 34.0), (0.03, 40.0), (0.03, 50.0)} <= corners
    assert [text.get_text() for text in wins.get_xticklabels()] == ["0", "0.03"]
    assert (wins.get_title(loc="left"), wins.get_xlabel()) == ("Win rate", "Taste")
    assert not length.get_lines() and length.get_title(loc="left") == "Words"


def test_who_has_no_value_is_a_level_line(axes):
    [level] = [line for line in axes[0].get_lines() if line.get_linestyle() == ":"]
    assert list(level.get_ydata()) == [25.0, 25.0] and level.get_color() == "#222222"
    assert {text.get_text() for text in axes[0].texts} >= {"DPO", "SFT"}


def test_a_value_that_a_seed_lacks_is_left_out():
    rows = [item for item in ROWS if (item["setting"], item["seed"]) != ("long", 1)]
    [wins] = sweep(rows, [WINS], PLACES, STYLES, "Taste", "linear").axes
    assert [list(line.get_xdata()) for line in wins.get_lines() if line.get_marker() == "o"] == [
        [0]
    ]


def test_the_axis_may_be_logarithmic():
    places = {("a", "dpo"): Place("dpo", 1.0), ("b", "dpo"): Place("dpo", 16.0)}
    rows = [row("a", "dpo", 0, "win_rate", 30.0), row("b", "dpo", 0, "win_rate", 31.0)]
    [wins] = sweep(rows, [WINS], places, STYLES, "Samples", "log").axes
    assert wins.get_xscale() == "log"
    assert [text.get_text() for text in wins.get_xticklabels()] == ["1", "16"]
    found = sweep_picture(rows, [WINS], places, STYLES, "Samples", "log")
    assert found.name == "sweep" and found.png.startswith(b"\x89PNG")
