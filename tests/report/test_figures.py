"""Figures: what is drawn, read back from the axes. Source of the expected numbers: by hand."""

import pytest
from matplotlib.text import Text

from plumbline.aggregate import (
    Cell,
    Column,
    Grid,
    GridRow,
    Heading,
    Line,
    Rank,
    RankRule,
    TableOne,
)
from plumbline.report.canvas import to_svg
from plumbline.report.figures import (
    frontier,
    likelihoods,
    log_ratios,
    pro_figure,
    progress,
    ranks,
    shares,
)
from plumbline.report.styles import method_styles
from plumbline.schema import Prompts

STYLES = method_styles(["sft", "dpo", "kto"], {"dpo": "DPO", "kto": "$K_{TO}$ <b>"})
POINTS = {"dpo": "beta=0.1", "kto": "beta=0.1"}


def dynamics(split: str, metrics: dict[str, float]) -> list[dict]:
    """Two seeds of DPO, which end at 2 and 4 times a metric's slope; KTO stops a step earlier."""
    runs = (("dpo", 0, 2), ("dpo", 1, 4), ("kto", 0, 1))
    return [
        {"method": method, "point": point, "seed": seed, "step": step, "examples": step,
         "split": split, "metric": metric, "value": 5 + slope * factor * step}
        for method, seed, factor in runs
        for point in ("beta=0.1", "beta=9.0")
        for metric, slope in metrics.items()
        for step in (range(2) if method == "kto" else range(3))
    ]  # fmt: skip


def ends(axes) -> list[tuple[float, float]]:
    """Where each drawn line ends."""
    return [tuple(map(float, line.get_xydata()[-1])) for line in axes.get_lines()]


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def test_log_ratios_draw_the_mean_of_the_seeds_at_the_point():
    """DPO's chosen mean after 2 steps: 5 + 3 * 2 * 1 = 11; KTO ends at step 1 with 5 + 1."""
    rows = dynamics("probe", {"chosen_logratio": 1.0, "rejected_logratio": -1.0})
    figure = log_ratios(rows, POINTS, STYLES)
    chosen, rejected = figure.axes
    assert (2.0, 11.0) in ends(chosen)
    assert (1.0, 6.0) in ends(chosen)
    assert (2.0, -1.0) in ends(rejected)
    assert chosen.get_ylim() == rejected.get_ylim()
    assert texts(figure).count("DPO") == 2


def test_likelihoods_have_a_row_of_panels_for_each_kind_of_feedback():
    """DPO's chosen mean ends at 5 + 3 * 2 * 1 = 11 among pairs, KTO's at 5 + 1 among singles."""
    rows = dynamics("probe", {"chosen_logprob": 1.0, "rejected_logprob": -1.0})
    feedback = {"kto": "singles", "dpo": "pairs", "pro_s": "lists"}
    figure = likelihoods(rows, POINTS, STYLES, feedback)
    pairs_chosen, pairs_rejected, singles_chosen, singles_rejected = figure.axes
    assert (2.0, 11.0) in ends(pairs_chosen) and (2.0, -1.0) in ends(pairs_rejected)
    assert (1.0, 6.0) in ends(singles_chosen) and (1.0, 4.0) in ends(singles_rejected)
    assert pairs_chosen.get_title(loc="left") == "Pairwise feedback: chosen"
    assert singles_rejected.get_title(loc="left") == "Binary feedback: rejected"
    assert pairs_chosen.get_ylim() == singles_rejected.get_ylim()
    assert texts(figure).count("DPO") == 2


def test_a_line_without_a_number_leaves_its_panel_empty():
    rows = [row | {"value": None} for row in dynamics("probe", {"chosen_logprob": 1.0})]
    figure = likelihoods(rows, {"dpo": "beta=0.1"}, STYLES, {"dpo": "pairs"})
    assert [axes.get_lines() and ends(axes) for axes in figure.axes] == [[], []]


def test_titles_are_taken_literally():
    """Neither mathtext nor markup: a method may be called anything."""
    rows = dynamics("probe", {"chosen_logratio": 1.0, "rejected_logratio": -1.0})
    svg = to_svg(log_ratios(rows, POINTS, STYLES))
    assert ">$K_{TO}$ &lt;b&gt;</text>" in svg


def test_labels_of_lines_that_end_together_do_not_overlap():
    rows = dynamics("probe", {"chosen_logratio": 0.0, "rejected_logratio": 0.0})
    figure = log_ratios(rows, POINTS, STYLES)
    figure.draw_without_rendering()
    for axes in figure.axes:
        first, second = [text.get_window_extent() for text in axes.texts if text.get_text()]
        assert not first.overlaps(second)


def test_progress_shows_levels_and_changes_from_the_start():
    """Length: 5 at the start, mean 11 at the end, so a change of 6."""
    rows = dynamics("validation", {"length": 1.0, "win_rate": 0.5})
    titles = {"length": "Length", "win_rate": "Win rate"}
    figure = progress(rows, POINTS, STYLES, titles)
    upper_length, upper_win, lower_length, lower_win = figure.axes
    assert (2.0, 11.0) in ends(upper_length)
    assert (2.0, 6.0) in ends(lower_length)
    assert (2.0, 8.0) in ends(upper_win)
    assert (2.0, 3.0) in ends(lower_win)
    assert upper_win.get_title(loc="left") == "Win rate"


@pytest.fixture
def grids():
    """Win rate and length of SFT, of DPO at two points, and of KTO, which diverged everywhere."""

    def grid(metric, sft, low, high):
        def cells(*values):
            status = ["ok" if value is not None else "diverged" for value in values]
            return [Cell(v, None, 1, s) for v, s in zip(values, status, strict=True)]

        labels = ("beta=0.1", "beta=0.3")
        points = {label: label for label in labels}
        rows = (
            GridRow("sft", "SFT", "", dict(zip(["default"], cells(sft), strict=True)),
                    {"default": "default"}, "default"),
            GridRow("dpo", "DPO", "", dict(zip(labels, cells(low, high), strict=True)), points,
                    "beta=0.3"),
            GridRow("kto", "KTO", "", dict(zip(labels, cells(None, None), strict=True)), points,
                    ""),
        )  # fmt: skip
        return Grid(Column("toyland", metric, metric), "higher", ("default", *labels), rows)

    return grid("win_rate", 10.0, 20.0, 30.0), grid("length", 9.0, 18.0, 12.0)


def test_the_frontier_is_quality_against_length(grids):
    """DPO runs from (18, 20) at beta 0.1 to (12, 30) at 0.3, which is ringed; SFT is a cross."""
    figure = frontier(*grids, STYLES)
    (axes,) = [axes for axes in figure.axes if axes.get_visible()]
    drawn = {line.get_marker(): line for line in axes.get_lines()}
    assert list(zip(*drawn["x"].get_data(), strict=True)) == [(9.0, 10.0)]
    path = next(line for line in axes.get_lines() if len(line.get_xdata()) == 2)
    assert list(zip(*path.get_data(), strict=True)) == [(18.0, 20.0), (12.0, 30.0)]
    ring = next(line for line in axes.get_lines() if line.get_fillstyle() == "none")
    assert list(zip(*ring.get_data(), strict=True)) == [(12.0, 30.0)]
    assert [text.get_text() for text in axes.texts] == ["beta=0.1", "beta=0.3"]
    (title,) = [text for text in axes.findobj(Text) if text.get_text() == "DPO"]
    assert not title.get_parse_math()


def test_ranks_show_ranked_methods_only_and_carry_the_stamp(table):
    figure = ranks(table, STYLES)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["DPO"]
    assert texts(figure) == ["1.00"]
    assert not axes.get_yticklabels()[0].get_parse_math()
    assert "plumbing" in axes.get_xlabel()


def test_the_regularizer_and_its_gradient_end_where_they_must():
    """The gradient of (alpha, beta) = (3, 3) is within 1e-9 of its bound 3/2 at delta = 8."""
    regularizer, gradient = pro_figure(((3.0, 3.0),)).axes
    assert gradient.get_lines()[0].get_ydata()[-1] == pytest.approx(1.5, abs=1e-9)
    assert regularizer.get_lines()[0].get_ydata()[160] == 0.0


def test_shares_draw_a_line_an_order_that_ends_at_all_prompts():
    """By share; a cell that is missing is left out, and who chose no prompts is a dotted line."""
    values = {"all": 30.0, "half_low": 20.0, "half_high": 40.0, "tenth_high": 35.0, "dpo": 33.0}
    lines = [
        Line(name, name, "beta=0.3", (Cell(value, 1.0, 3, "ok"),), Rank(None, ()))
        for name, value in [*values.items(), ("tenth_low", None), ("sft", 5.0)]
    ]
    prompts = {
        "all": Prompts(reward="head"),
        "half_high": Prompts(reward="head", share=0.5),
        "half_low": Prompts(reward="head", share=0.5, order="lowest"),
        "tenth_high": Prompts(reward="head", share=0.1),
        "tenth_low": Prompts(reward="head", share=0.1, order="lowest"),
    }
    heading = Heading(Column("toyland", "win_rate", "Wins"), "higher", "1", "toyland-gold", "1")
    table = TableOne("toyland", (heading,), tuple(lines), RankRule(), ())
    figure = shares(table, prompts)
    [axes] = figure.axes
    drawn = [line.get_xydata().tolist() for line in axes.get_lines() if line.get_marker() == "o"]
    assert drawn == [[[0, 35], [1, 40], [2, 30]], [[2, 30]], [[1, 20], [2, 30]]]
    dotted = [line.get_ydata()[0] for line in axes.get_lines() if line.get_linestyle() == ":"]
    assert dotted == [33]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["10 %", "50 %", "100 %"]
    assert sorted(texts(figure)) == ["highest", "lowest", "random"]
