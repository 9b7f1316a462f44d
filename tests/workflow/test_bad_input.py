"""What a user sees who mistypes: one message, exit 2, before any work, never a stale table."""

import pytest
from checkout import Checkout

MISTAKES = {
    "misspelt method": ("  pro_p:", "  pro_pp:", "did you mean 'pro_p'?"),
    "misspelt benchmark": ("  mt_bench:", "  mt_bnch:", "did you mean 'mt_bench'?"),
    "misspelt hyperparameter": ("dpo: {beta:", "dpo: {bata:", "did you mean 'beta'?"),
    "misspelt key": ("grid_points:", "grid_pionts:", "did you mean 'grid_points'?"),
    "negative beta": ("pro_b: {beta: 0.1", "pro_b: {beta: -0.1", "beta must be > 0, got -0.1"),
    "alpha without an optimum": ("alpha: 2.5", "alpha: 1.0", "Theorem 4.2"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_mistake_stops_before_any_work(fresh: Checkout, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    fresh.edit("config/test.yaml", old, new)
    output = fresh.snakemake("-n", "--configfile", "config/test.yaml", check=False)
    assert message in output
    assert "ConfigError" in output and "Traceback" not in output
    assert "Nothing to be done" not in output and "Job stats" not in output


def test_all_mistakes_are_reported_at_once(fresh: Checkout) -> None:
    # A negative beta would hide that its method's alpha has no optimum.
    for old, new, _ in (MISTAKES[name] for name in MISTAKES if name != "negative beta"):
        fresh.edit("config/test.yaml", old, new)
    output = fresh.snakemake("-n", "--configfile", "config/test.yaml", check=False)
    for mistake in ("pro_pp", "mt_bnch", "bata", "grid_pionts", "alpha=1.0"):
        assert mistake in output


def read_from(fresh: Checkout, path: str) -> None:
    """Let the experiment read a JSONL file instead of Toyland."""
    data = f"data: {{source: jsonl, path: {path}}} #"
    fresh.edit("config/test.yaml", "data: {source: toyland,", data)
    fresh.edit("config/test.yaml", "tokenizer: toyland", "tokenizer: byte_bpe, vocabulary: 300")


def test_empty_data_file_names_itself(fresh: Checkout) -> None:
    (fresh.folder / "empty.jsonl").write_text("")
    read_from(fresh, "empty.jsonl")
    output = fresh.snakemake("--configfile", "config/test.yaml", check=False)
    assert "DataError" in output and "empty.jsonl" in output


def test_broken_row_names_file_line_and_field(fresh: Checkout) -> None:
    (fresh.folder / "broken.jsonl").write_text('{"prompt": "p", "chosen": "a"}\n')
    read_from(fresh, "broken.jsonl")
    output = fresh.snakemake("--configfile", "config/test.yaml", check=False)
    assert "DataError" in output and "broken.jsonl" in output
    assert "line 1" in output or "broken.jsonl:1" in output
    assert "rejected" in output
