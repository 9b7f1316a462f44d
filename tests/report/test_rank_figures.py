"""Figures of ranks, read back from the axes. Source of the expected numbers: by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.canvas import to_svg
from plumbline.report.rank_figures import cliques, critical_differences, rank_intervals
from plumbline.report.styles import method_styles

STYLES = method_styles(["dpo", "nca"], {"dpo": "<b>&DPO", "nca": "NCA"})


def test_intervals_reach_from_the_lowest_to_the_highest_rank(sure):
    axes = rank_intervals(sure.contest, STYLES).axes[0]
    lines = [tuple(line.get_xdata()) for line in axes.get_lines()]
    assert (1.0, 2.0) in lines
    assert [text.get_text() for text in axes.get_yticklabels()] == ["<b>&DPO", "NCA"]
    assert {"25 %", "75 %"} <= {text.get_text() for text in axes.texts}


def test_titles_are_taken_literally(sure):
    assert "&lt;b&gt;&amp;DPO" in to_svg(rank_intervals(sure.contest, STYLES))


def test_a_bar_joins_methods_within_the_critical_difference(sure, friedman):
    """Mean places 2 and 1, critical difference 1.91: one bar, longer than from 1 to 2."""
    found = replace(friedman, mean_places=np.array([2.0, 1.0]))
    axes = critical_differences(sure.contest, found, STYLES).axes[0]
    bars = [line for line in axes.get_lines() if line.get_linewidth() == 3.2]
    assert [tuple(bar.get_xdata()) for bar in bars] == [pytest.approx((0.94, 2.06))]
    texts = {text.get_text() for text in axes.texts}
    assert {"<b>&DPO  2.00", "NCA  1.00", "critical difference 1.91"} <= texts


def test_cliques_by_hand():
    """Within 1.2: 1, 2 and 2, 3; 5 is alone. The run 2, 3 does not lie in 1, 2."""
    assert cliques([1.0, 2.0, 3.0, 5.0], 1.2) == [(0, 1), (1, 2)]
    assert cliques([1.0, 1.5, 2.0], 9.0) == [(0, 2)]
    assert cliques([1.0, 5.0], 1.0) == []


@given(st.lists(st.floats(1, 9), min_size=2, max_size=8).map(sorted), st.floats(0.01, 5))
def test_two_methods_share_a_bar_where_they_are_near_and_only_there(places, critical):
    joined = {
        (i, j)
        for first, last in cliques(places, critical)
        for i in range(first, last + 1)
        for j in range(i + 1, last + 1)
    }
    near = {
        (i, j)
        for i in range(len(places))
        for j in range(i + 1, len(places))
        if places[j] - places[i] < critical
    }
    assert joined == near
