"""Curves over seeds. Source of the expected numbers: by hand."""

from plumbline.report.curves import curve, from_start, series


def test_mean_and_range_over_the_steps_that_all_seeds_have():
    found = curve([{0: 0.0, 10: 2.0, 20: 9.0}, {0: 1.0, 10: 6.0}])
    assert (found.steps, found.mean, found.low, found.high) == (
        [0, 10],
        [0.5, 4.0],
        [0.0, 2.0],
        [1.0, 6.0],
    )


def test_no_seed_is_no_curve():
    assert curve([]).steps == []


def test_series_keep_what_is_finite_and_asked_for():
    def row(**changes):
        base = {"seed": 0, "step": 1, "split": "probe", "metric": "margin", "value": 1.0}
        return {**base, **changes}

    rows = [
        row(),
        row(step=2, value=float("nan")),
        row(step=3, value=None),
        row(step=4, split="train"),
        row(step=5, metric="loss"),
        row(seed=1, value=2.0),
    ]
    assert series(rows, split="probe", metric="margin") == [{1: 1.0}, {1: 2.0}]


def test_change_is_counted_from_each_seeds_own_start():
    assert from_start([{0: 5.0, 10: 7.0}, {10: 6.0, 0: 4.0}, {}]) == [
        {0: 0.0, 10: 2.0},
        {10: 2.0, 0: 0.0},
    ]
