"""The finished pipeline, and what reruns when something changes.

Which jobs must run follows from the DAG itself: a method's runs depend on its code, the engine's
version and the reference, and on no other method.
"""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout

from plumbline import ENGINE


def methods(planned: set[str], stage: str) -> set[str]:
    """The methods for which a stage is planned."""
    name = re.compile(rf"{stage}_small-[0-9a-f]{{8}}_(.+)_\d+")
    return {found[1] for rule in planned if (found := name.fullmatch(rule))}


def stamps(checkout: Checkout) -> dict[Path, int]:
    """When each run's record was written."""
    records = checkout.folder.glob("results/*/runs/*/*/*/run.json")
    return {path: path.stat().st_mtime_ns for path in records}


@pytest.fixture(scope="module")
def rows(finished: Checkout) -> pd.DataFrame:
    return pd.read_parquet(finished.folder / "results/experiments/test/rows.parquet")


def test_every_cell_is_there(rows: pd.DataFrame) -> None:
    test = rows[rows.split == "test"]
    assert set(test.method) == {"sft", "dpo", "pro_p", "pro_b"}
    assert set(test.benchmark) == {"toyland", "alpaca_eval_2", "mt_bench", "lm_eval_tasks"}
    shown = test[(test.benchmark != "lm_eval_tasks") & ~test.metric.str.startswith("length_con")]
    assert set(shown.status) == {"ok"}
    assert test[test.status == "ok"].decoding.notna().all()


def test_validation_covers_the_grid(rows: pd.DataFrame) -> None:
    validation = rows[(rows.split == "validation") & (rows.metric == "win_rate")]
    points = set(zip(validation.method, validation.point, strict=True))
    assert {("dpo", "beta=0.1"), ("dpo", "beta=0.3"), ("sft", "default")} < points
    assert len(validation) == 1 + 2 + 2 + 1


def test_table_and_page_are_written(finished: Checkout) -> None:
    folder = finished.folder / "results/experiments/test"
    table = (folder / "tables/small/table1.csv").read_text()
    assert "DPO" in table and "PRO-P" in table
    page = (folder / "report.html").read_text()
    assert "<svg" in page and 'src="http' not in page


def test_rows_trace_to_model_and_judge(rows: pd.DataFrame, finished: Checkout) -> None:
    run = finished.folder.glob("results/small-*/runs/dpo/beta=0.1/seed=0/run.json")
    record = json.loads(next(run).read_text())
    row = rows[(rows.method == "dpo") & (rows.point == "beta=0.1")].iloc[0]
    assert row.model_digest == record["model"]
    judged = rows[rows.benchmark == "mt_bench"]
    assert set(judged.judge) == {"toyland-gold"} and set(judged.judge_version) == {"1"}


def test_second_run_does_nothing(finished: Checkout) -> None:
    assert finished.planned() == set()


def test_tables_that_a_failed_job_has_lost_are_made_again(checkout: Checkout) -> None:
    """Though the page made of them is there; and with them the scores that are not."""
    experiment = checkout.folder / "results" / "experiments" / "test"
    (experiment / "rows.parquet").unlink()
    shutil.rmtree(experiment / "tables")
    score = next(checkout.folder.glob("results/*/runs/dpo/*/*/scores/toyland/*/rows.parquet"))
    score.unlink()
    planned = checkout.planned()
    assert "aggregate" in planned and methods(planned, "score_validation") == {"dpo"}


def test_keeping_fewer_models_reruns_nothing(finished: Checkout) -> None:
    assert finished.planned("--config", 'execution={"keep_models": "none"}') == set()


def test_formula_edit_reruns_that_method_alone(checkout: Checkout) -> None:
    checkout.edit("losses/pro_p.py", "beta * ", "2 * beta * ")
    planned = checkout.planned()
    assert methods(planned, "align") == {"pro_p"}
    assert "select" in planned and "aggregate" in planned
    assert not {"data", "pretrain", "sft", "reference"} & planned


def test_comment_and_docstring_edits_rerun_no_training(checkout: Checkout) -> None:
    path = checkout.folder / "losses/dpo.py"
    path.write_text("# A comment.\n" + path.read_text().replace('"""', '"""Edited. ', 1))
    assert checkout.planned() == set()


def test_new_engine_version_reruns_all_training(checkout: Checkout, repository: Path) -> None:
    # `python -m snakemake` puts the working directory first on the path.
    shutil.copytree(repository / "plumbline", checkout.folder / "plumbline")
    checkout.edit("plumbline/__init__.py", f"ENGINE = {ENGINE}\n", "ENGINE = 99\n")
    planned = checkout.planned()
    assert {"data", "pretrain", "sft", "reference"} <= planned
    assert methods(planned, "align") == {"sft", "dpo", "pro_p", "pro_b"}


def test_new_method_runs_alone(checkout: Checkout) -> None:
    source = (checkout.folder / "losses/dpo.py").read_text()
    (checkout.folder / "losses/mine.py").write_text(source.replace("def dpo(", "def mine("))
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    checkout.edit("config/test.yaml", line, line + "  mine: {beta: 0.2}\n")
    planned = checkout.planned()
    assert methods(planned, "align") == {"mine"}
    assert methods(planned, "generate_validation") == {"mine"}
    assert not {"data", "pretrain", "sft", "reference"} & planned


def test_a_control_runs_alone_and_again_where_its_labels_change(checkout: Checkout) -> None:
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    control = "  dpo_control: {like: dpo, labels: random, beta: 0.1}\n"
    checkout.edit("config/test.yaml", line, line + control)
    planned = checkout.planned()
    assert methods(planned, "align") == {"dpo_control"}
    assert methods(planned, "generate_validation") == {"dpo_control"}
    assert "report" in planned and not {"data", "pretrain", "sft", "reference"} & planned
    aligning = [name for name in planned if name.startswith("align")]
    checkout.snakemake("--configfile", "config/test.yaml", "--until", *aligning)
    assert not methods(checkout.planned(), "align")
    checkout.edit("config/test.yaml", "labels: random", "labels: longer")
    assert methods(checkout.planned(), "align") == {"dpo_control"}


def test_only_who_declares_embeddings_waits_for_them(fresh: Checkout) -> None:
    assert "embed" not in fresh.planned()
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    fresh.edit("config/test.yaml", line, line + "  relative_po: {}\n")
    planned = fresh.planned()
    assert "embed" in planned and methods(planned, "align") >= {"dpo", "relative_po"}


def test_only_a_method_that_asks_for_two_models_has_them_trained(checkout: Checkout) -> None:
    """TIS-DPO: both auxiliary models, and a pass for each need; for DPO's likes, none of it."""
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    checkout.edit("config/test.yaml", line, line + "  tdpo2: {beta: 0.2}\n")
    assert not {"auxiliary", "annotate"} & checkout.planned()
    checkout.edit("config/test.yaml", line, line + "  tis_dpo: {beta: 0.2}\n")
    planned = checkout.planned()
    assert {"auxiliary", "annotate"} <= planned
    assert methods(planned, "align") == {"tdpo2", "tis_dpo"}
    checkout.edit("config/test.yaml", "  tis_dpo: {beta: 0.2}\n", "  sparse_po: {beta: 0.2}\n")
    planned = checkout.planned()
    assert "annotate" in planned and "auxiliary" not in planned


def test_a_reward_is_trained_for_who_learns_from_prompts_that_it_chose(checkout: Checkout) -> None:
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    variant = "  few: {like: dpo, prompts: {reward: words, share: 0.5}}\n"
    assert "reward" not in checkout.planned()
    checkout.edit("config/test.yaml", line, line + variant)
    planned = checkout.planned()
    assert "reward" in planned and methods(planned, "align") == {"few"}


def test_only_who_declares_it_waits_for_pairs_without_traces(fresh: Checkout) -> None:
    dry = ("-n", "--configfile", "config/test.yaml")
    assert "reference/traceless.parquet" not in fresh.snakemake(*dry)
    line = "  pro_b: {beta: 0.1, alpha: 2.5}\n"
    fresh.edit("config/test.yaml", line, line + "  bvpo: {}\n")
    made = re.findall(r"output: results/\S+/reference/(\w+).parquet", fresh.snakemake(*dry))
    assert sorted(made) == ["pairs", "singles", "traceless"]


def test_new_beta_trains_the_new_point_alone(checkout: Checkout) -> None:
    before = stamps(checkout)
    checkout.edit("config/test.yaml", "dpo: {beta: [0.1, 0.3]}", "dpo: {beta: [0.1, 0.3, 1.0]}")
    checkout.edit("config/test.yaml", "grid_points: 2", "grid_points: 3")
    planned = checkout.planned()
    assert methods(planned, "align") == {"dpo"}
    aligning = sorted(name for name in planned if name.startswith("align"))
    checkout.snakemake("--configfile", "config/test.yaml", "--until", *aligning)
    after = stamps(checkout)
    assert {path.parts[-3] for path in after.keys() - before.keys()} == {"beta=1.0"}
    assert all(after[path] == stamp for path, stamp in before.items())


def test_lost_score_is_made_again_and_nothing_before_it(checkout: Checkout) -> None:
    run = next(checkout.folder.glob("results/small-*/runs/dpo/beta=0.1/seed=0"))
    (run / "scores/toyland/validation/rows.parquet").unlink()
    shutil.rmtree(checkout.folder / "results/experiments/test")
    planned = checkout.planned()
    assert methods(planned, "score_validation") == {"dpo"}
    assert {"select", "aggregate", "report"} <= planned
    assert not [name for name in planned if name.startswith(("align", "generate_validation"))]
