"""The bench's page: medians, ratios and verdicts by hand."""

import pytest

from bench import table


def row(side: str, work: str, method: str, cpu: list[float], peak: int = 1) -> dict:
    return {"side": side, "work": work, "method": method, "cpu": cpu, "wall": cpu, "peak": peak}


FOUND = {
    "steps": [
        [row("ours", "a", "dpo", [1.0, 3.0, 2.0]), row("theirs", "a", "dpo", [4.0, 4.0, 4.0])],
        [row("ours", "c", "pro_s", [5.0]), row("theirs", "c", "dpo", [10.0])],
    ],
    "memory": [
        row("ours", "b", "dpo", [], 300) | {"imports": 2**20},
        row("theirs", "b", "dpo", [], 1000) | {"imports": 2**20},
    ],
    "pro": [
        row("ours", "b", "dpo", [2.0]),
        row("ours", "b", "pro_p", [2.1]),
        row("ours", "b_apart", "dpo", [4.0]),
        row("ours", "b_apart", "pro_b", [4.0]),
    ],
    "suite": [
        {"part": "x", "side": "ours", "cpu": 3.0, "wall": 4.0},
        {"part": "y", "side": "ours", "cpu": 1.0, "wall": 1.0},
        {"part": "x", "side": "documented", "cpu": 10.0, "wall": 10.0},
        {"part": "x", "side": "tuned", "cpu": 5.0, "wall": 4.0},
    ],
    "startup": [
        {"command": "methods", "cpu": [0.1], "wall": [0.2, 0.4, 0.3]},
        {"command": "align --help", "cpu": [0.1], "wall": [9.0]},
    ],
}


def test_ratios_by_hand():
    """Neighbours are divided, then the median is taken: 1/4, 3/4, 2/4."""
    assert table.ratios(FOUND) == pytest.approx(
        {
            "a dpo cpu": 0.5,
            "a dpo wall": 0.5,
            "c pro_s cpu": 0.5,
            "c pro_s wall": 0.5,
            "b dpo peak": 0.3,
            "b dpo pro": 1.0,
            "b pro_p pro": 1.05,
            "b_apart dpo pro": 1.0,
            "b_apart pro_b pro": 1.0,
            "suite documented cpu": 0.4,
            "suite documented wall": 0.5,
            "suite tuned cpu": 0.8,
            "suite tuned wall": 1.25,
            "startup": 0.3,
        }
    )


def test_a_machine_that_slows_down_does_not_count():
    assert table.paired([1, 2, 10], [2, 4, 20]) == 0.5


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.33, "met"), (0.331, "missed"), (None, "not measured")]
)
def test_a_bound_is_met_missed_or_not_measured(value, verdict):
    assert table._verdict(value, 0.33) == verdict


def test_every_bound_has_its_line():
    text = table.markdown(FOUND, {"processor": "one"})
    lines = {
        label: line for line in text.split("\n") for label, _, _ in table.BOUNDS if label in line
    }
    assert len(lines) == len(table.BOUNDS)
    assert "| 0.60 | 0.500 | met |" in lines["CPU per step on (a), of TRL's"]
    assert "| 0.30 | 0.500 | missed |" in lines["CPU per step on (c), of TRL's"]
    assert "| 0.33 | – | not measured |" in lines["CPU per step on (b), of TRL's"]
    assert "2000.0 (1000.0–3000.0)" in text, "median and range in milliseconds"


def test_only_what_is_between_the_marks_is_made_anew():
    page = "above\n<!-- bench -->\nold\n<!-- /bench -->\nbelow\n"
    found = table.filled(page, "new \\1")
    assert found == "above\n<!-- bench -->\nnew \\1\n<!-- /bench -->\nbelow\n"
    assert table.filled(found, "new \\1") == found
