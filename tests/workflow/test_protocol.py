"""No test score before its method is selected, and what testing a whole grid adds to the tables."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout

#: Lines of config/test.yaml that name another benchmark than Toyland's own.
OTHERS = re.compile(r"(?m)^ .*(alpaca_eval_2|mt_bench|lm_eval_tasks).*\n")


@pytest.fixture
def whole(checkout: Checkout) -> Checkout:
    """The finished run, about to test its whole grid on Toyland's own benchmark."""
    path = checkout.folder / "config/test.yaml"
    text = OTHERS.sub("", path.read_text())
    path.write_text(text.replace("grid_points: 2\n", "grid_points: 2\ntested: grid\n"))
    return checkout


def without_tables(checkout: Checkout) -> None:
    """Snakemake makes a lost file again only where somebody still waits for it."""
    shutil.rmtree(checkout.folder / "results/experiments/test")


def selection(checkout: Checkout, method: str) -> Path:
    return next(checkout.folder.glob(f"results/small-*/selection/test/{method}.json"))


def test_every_point_is_tested_and_the_selected_one_is_shown(whole: Checkout) -> None:
    planned = whole.planned()
    assert not [name for name in planned if name.startswith(("align", "generate_validation"))]
    assert "select" not in planned
    whole.snakemake("--configfile", "config/test.yaml")
    folder = whole.folder / "results/experiments/test"
    rows = pd.read_parquet(folder / "rows.parquet")
    tested = rows[(rows.split == "test") & (rows.method == "dpo") & (rows.metric == "win_rate")]
    assert set(tested.point) == {"beta=0.1", "beta=0.3"}
    table = pd.read_csv(folder / "tables/small/table1.csv").set_index("method")
    chosen = json.loads(selection(whole, "dpo").read_text())["point"]
    shown = tested.set_index("point").value[chosen]
    assert table.loc["dpo", "point"] == chosen
    assert table.loc["dpo", "toyland.win_rate@1"] == pytest.approx(shown)
    ways = pd.read_csv(folder / "tables/small/protocol.csv").set_index("method")
    best = tested.value.max()
    assert ways.loc["DPO", "optimism"] == pytest.approx(best - shown)
    assert ways.loc["DPO", "low"] >= 0
    assert "Every method and column" in (folder / "report.html").read_text()
    assert whole.planned() == set()


def test_asking_for_a_test_score_before_the_selection_is_an_error(checkout: Checkout) -> None:
    path = selection(checkout, "dpo")
    path.unlink()
    shutil.rmtree(path.with_suffix(""))  # its test scores
    without_tables(checkout)
    planned = checkout.planned()
    tests = [name for name in planned if name.startswith(("generate_test", "score_test"))]
    assert tests and "select" in planned
    wanted = str(path.with_suffix("").relative_to(checkout.folder))
    score = f"{wanted}/seed=0/scores/toyland/test/rows.parquet"
    asked = (score, "--configfile", "config/test.yaml", "--allowed-rules", *tests)
    output = checkout.snakemake("-n", *asked, check=False)
    missing = output.split("affected files:")[1]
    assert "MissingInputException" in output and f"{wanted}.json" in missing


def test_a_selection_that_was_deleted_and_made_again_says_so(checkout: Checkout) -> None:
    """The point is the same, so its test scores stand; the table says what happened."""
    selection(checkout, "dpo").unlink()
    without_tables(checkout)
    checkout.snakemake("--configfile", "config/test.yaml")
    assert json.loads(selection(checkout, "dpo").read_text())["reopened"] is True
    table = checkout.folder / "results/experiments/test/tables/small/table1.md"
    assert "| DPO (reopened) |" in table.read_text()
    assert "PRO-P (reopened)" not in table.read_text()
