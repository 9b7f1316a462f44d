"""Labels that do not overlap, and bytes that do not change."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.canvas import Text, label_points, panels, spread, to_png, to_svg
from plumbline.report.figures import pro_figure


def test_labels_move_as_little_as_can_be():
    """By hand: 0.1 apart and a gap of 0.2, so each of the two moves by 0.05; the third stays."""
    assert spread([0.4, 0.5, 0.9], 0.2) == pytest.approx([0.35, 0.55, 0.9])


def test_blocks_that_meet_merge():
    """By hand: three at 0.5 need 0.4, centred: 0.3, 0.5, 0.7."""
    assert spread([0.5, 0.5, 0.5], 0.2) == pytest.approx([0.3, 0.5, 0.7])


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.3))
def test_labels_keep_their_order_and_distance(heights, gap):
    found = spread(sorted(heights), gap)
    assert len(found) == len(heights)
    distances = [b - a for a, b in zip(found, found[1:], strict=False)]
    assert all(distance >= gap - 1e-9 for distance in distances)


def test_labels_of_points_in_one_place_stand_apart_and_inside():
    """As matplotlib measures them; the same label's box would be the same without `spread`."""
    figure, ((axes,),) = panels(1, 1, width=4, height=3)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label_points(axes, [(x, 0.5, Text("beta=0.1", "k", -0.8)) for x in (0.2, 0.2, 0.9)])
    figure.draw_without_rendering()
    *boxes, frame = [item.get_window_extent() for item in (*axes.texts, axes)]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(frame.x0 < box.x0 and box.x1 < frame.x1 for box in boxes)


def test_same_figure_same_bytes():
    assert to_svg(pro_figure()) == to_svg(pro_figure())
    assert to_png(pro_figure()) == to_png(pro_figure())
