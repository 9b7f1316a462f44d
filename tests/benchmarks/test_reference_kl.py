"""It asks what Toyland's benchmark samples, and its number is the mean of what comes back."""

import pytest

from plumbline import Data, Responses
from plumbline.artifacts import write_rows
from plumbline.plugins import benchmark_spec
from plumbline.rows import FEEDBACK
from plumbline.score import summarise


@pytest.fixture
def data(tmp_path) -> Data:
    rows = [
        {
            "id": f"row-{number}",
            "prompt": [{"role": "user", "content": "add two and three"}],
            "completions": ["six", "five"],
            "chosen": 1,
            "rejected": 0,
        }
        for number in range(3)
    ]
    write_rows(tmp_path / "validation.parquet", rows, FEEDBACK)
    return Data(str(tmp_path), "toyland", 0)


def test_prompts_are_toylands_sampled_ones(module, data):
    keys = ("id", "prompt", "temperature", "max_new_tokens", "follow_ups")
    ours = module("reference_kl").prompts(data, "validation", limit=2)
    theirs = module("toyland").prompts(data, "validation", limit=2)
    assert [[row[key] for key in keys] for row in ours] == [
        [row[key] for key in keys] for row in theirs if row["temperature"]
    ]


def test_the_mean_of_log_ratios_with_its_standard_error(module):
    """Of 1, 3 and 5: mean 3, standard deviation 2, standard error 2 / sqrt(3). An answer of a
    server has no log-ratio and is a gap."""
    found = [(["yes"], [value]) for value in (1.0, 3.0, 5.0, None)]
    rows = [
        {"id": f"row-{n}", "answers": said, "logratios": ratios}
        for n, (said, ratios) in enumerate(found)
    ]
    items = module("reference_kl").score(Responses(rows, "model", ""))
    [row] = summarise(module("reference_kl"), benchmark_spec("reference_kl"), items)
    assert (row["value"], row["n"], row["n_expected"]) == (3.0, 3, 4)
    assert row["se"] == pytest.approx(2 / 3**0.5) and row["status"] == "incomplete"
