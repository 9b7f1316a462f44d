"""The plan of the finished pipeline, and a budget at the start of one."""

import csv
import json
import subprocess
import sys

from checkout import Checkout

PLAN = "from plumbline.cli.app import main; main()"


def test_after_a_run_the_plan_is_what_it_took(finished: Checkout) -> None:
    """Within a factor of 1.5 of the sum of what Snakemake measured, job by job."""
    command = [sys.executable, "-c", PLAN, "plan", "config/test.yaml", "--json"]
    done = subprocess.run(
        command,
        cwd=finished.folder,
        env=finished.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    found, took = json.loads(done.stdout), 0.0
    for path in finished.folder.glob("results/timings/**/*.tsv"):
        with open(path, encoding="utf-8", newline="") as file:
            took += float(next(csv.DictReader(file, delimiter="\t"))["cpu_time"])
    assert found["all"]["jobs"] == 25 and found["todo"]["jobs"] == 0
    assert found["all"]["cpu_seconds"]["missing"] == 0
    assert took / 1.5 < found["all"]["cpu_seconds"]["known"] < took * 1.5


def test_a_budget_stops_a_run_before_any_job(fresh: Checkout) -> None:
    """704 judgments: see tests/operate/plan/test_budget.py."""
    budget = ("--config", 'budget={"judge_calls": 700}')
    output = fresh.snakemake("--configfile", "config/test.yaml", *budget, check=False)
    assert "ConfigError: budget.judge_calls: what is to do takes 704.00" in output
    assert not (fresh.folder / "results" / "logs").exists()
