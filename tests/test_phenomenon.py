"""The claims that Toyland was frozen for, held against a full run: `make phenomenon`.

Source of the claims: the trial worlds listed in docs/toyland.md, before these seeds were run.
"""

from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

EXPERIMENT = "results/experiments/phenomenon"


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    path = repository / EXPERIMENT
    if not (path / "report.html").is_file():
        pytest.skip(f"no {EXPERIMENT}/report.html: run `make phenomenon` first")
    return path


@pytest.fixture(scope="module")
def chosen(folder: Path) -> pd.DataFrame:
    """Mean chosen log-ratio on held-out pairs at the end of training: setting by method by seed."""
    rows = pd.read_parquet(folder / "dynamics.parquet")
    rows = rows[(rows.split == "probe") & (rows.metric == "chosen_logratio")]
    last = rows[rows.step == rows.step.max()].copy()
    last["setting"] = last.setting.str.rsplit("-", n=1).str[0]
    return last.set_index(["setting", "method", "seed"]).value.unstack("method")


@pytest.fixture(scope="module")
def words(folder: Path) -> pd.DataFrame:
    """Words per sampled answer on validation: setting by method by seed."""
    rows = pd.read_parquet(folder / "rows.parquet")
    rows = rows[(rows.split == "validation") & (rows.metric == "length")].copy()
    rows["setting"] = rows.setting.str.rsplit("-", n=1).str[0]
    return rows.set_index(["setting", "method", "seed"]).value.unstack("method")


def test_dpo_lowers_the_chosen_likelihood_in_each_seed(chosen: pd.DataFrame) -> None:
    assert len(chosen.loc["toyland"]) == 3
    assert (chosen.loc["toyland"].dpo < -1).all(), chosen


def test_pro_p_keeps_it_in_each_seed(chosen: pd.DataFrame) -> None:
    assert (chosen.loc["toyland"].pro_p > -0.3).all(), chosen


def test_dpo_answers_are_at_least_four_words_longer(words: pd.DataFrame) -> None:
    aligned = words.loc["toyland"].dropna(subset="dpo")
    assert (aligned.dpo - aligned.pro_p >= 4).all(), words


def test_controls_are_printed_as_they_come_out(
    chosen: pd.DataFrame, words: pd.DataFrame, capsys: pytest.CaptureFixture
) -> None:
    with capsys.disabled():
        print("\nchosen log-ratio, nats\n", chosen.round(2), "\nwords\n", words.round(1))
    assert {"no_length_bias", "sft_on_chosen"} <= set(chosen.index.get_level_values("setting"))
