"""Item rows as arrays, by hand."""

import numpy as np

from plumbline.stats.items import by_run, dense, shared


def row(method, seed, item, value, turn=None, metric="wins"):
    return {
        "method": method,
        "seed": seed,
        "item": item,
        "turn": turn,
        "metric": metric,
        "value": value,
    }


ROWS = [
    row("a", 1, "y", 4.0),
    row("a", 0, "y", 2.0),
    row("a", 0, "x", 1.0),
    row("a", 1, "x", 3.0),
    row("sft", 0, "x", 5.0),
    row("sft", 0, "y", None),
    row("sft", 0, "y", 9.0, metric="length"),
]


def test_items_are_sorted_and_seeds_that_a_method_lacks_are_nan():
    scores = dense(by_run(ROWS, "wins"), ["sft", "a", "gone"])
    assert scores.items == ("x", "y")
    nan = np.nan
    expected = [[[5, nan], [nan, nan]], [[1, 2], [3, 4]], [[nan, nan], [nan, nan]]]
    np.testing.assert_array_equal(scores.values, expected)
    assert scores.runs.tolist() == [[True, False], [True, True], [False, False]]


def test_an_item_that_one_run_lacks_is_left_out_for_all():
    scores = shared(dense(by_run(ROWS, "wins"), ["sft", "a"]))
    assert scores.items == ("x",)
    np.testing.assert_array_equal(scores.values, [[[5], [np.nan]], [[1], [3]]])


def test_an_item_of_several_turns_is_their_mean_and_missing_where_one_is():
    rows = [row("a", 0, "x", 8.0, 1), row("a", 0, "x", 6.0, 2)]
    rows += [row("a", 0, "y", 8.0, 1), row("a", 0, "y", None, 2)]
    assert by_run(rows, "wins") == {("a", 0): {"x": 7.0, "y": None}}
