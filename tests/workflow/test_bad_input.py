"""What a user sees who mistypes: one message, exit 2, before any work, never a stale table."""

import pytest
from checkout import Checkout

pytestmark = pytest.mark.xdist_group("pipeline")

MISTAKES = {
    "misspelt method": ("  pro_p:", "  pro_pp:", "did you mean 'pro_p'?"),
    "misspelt benchmark": ("  mt_bench:", "  mt_bnch:", "did you mean 'mt_bench'?"),
    "misspelt hyperparameter": ("dpo: {beta:", "dpo: {bata:", "did you mean 'beta'?"),
    "misspelt key": ("grid_points:", "grid_pionts:", "did you mean 'grid_points'?"),
    "negative beta": ("dpo: {beta: [0.1,", "dpo: {beta: [-0.1,", "beta must be > 0, got -0.1"),
    "alpha without an optimum": ("alpha: 2.5", "alpha: 1.0", "Theorem 4.2"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_mistake_stops_before_any_work(checkout: Checkout, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    checkout.edit("config/test.yaml", old, new)
    output = checkout.snakemake("-n", "--configfile", "config/test.yaml", check=False)
    assert message in output
    assert "ConfigError" in output and "Traceback" not in output
    assert "Nothing to be done" not in output and "Job stats" not in output


def test_all_mistakes_are_reported_at_once(checkout: Checkout) -> None:
    for old, new, _ in MISTAKES.values():
        checkout.edit("config/test.yaml", old, new)
    output = checkout.snakemake("-n", "--configfile", "config/test.yaml", check=False)
    for mistake in ("pro_pp", "mt_bnch", "bata", "grid_pionts", "alpha=1.0"):
        assert mistake in output


def read_from(checkout: Checkout, path: str) -> None:
    """Let the experiment read a JSONL file instead of Toyland."""
    toyland = "data: {source: toyland,"
    checkout.edit("config/test.yaml", toyland, f"data: {{source: jsonl, path: {path}}} #")


def test_empty_data_file_names_itself(checkout: Checkout) -> None:
    (checkout.folder / "empty.jsonl").write_text("")
    read_from(checkout, "empty.jsonl")
    output = checkout.snakemake("--configfile", "config/test.yaml", check=False)
    assert "DataError" in output and "empty.jsonl" in output


def test_broken_row_names_file_line_and_field(checkout: Checkout) -> None:
    (checkout.folder / "broken.jsonl").write_text('{"prompt": "p", "chosen": "a"}\n')
    read_from(checkout, "broken.jsonl")
    output = checkout.snakemake("--configfile", "config/test.yaml", check=False)
    assert "DataError" in output and "broken.jsonl" in output
    assert "line 1" in output or "broken.jsonl:1" in output
    assert "rejected" in output
