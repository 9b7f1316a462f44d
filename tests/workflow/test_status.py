"""plumbline status of the finished pipeline: what Snakemake calls done is done, cell by cell."""

import json
import subprocess
import sys

from checkout import Checkout

STATUS = "from plumbline.cli.app import main; main()"


def status(checkout: Checkout) -> tuple[int, dict]:
    """The exit code of `plumbline status --json`, and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", STATUS, "status", "config/test.yaml", "--json"],
        cwd=checkout.folder,
        env=checkout.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_all_is_done_and_no_job_says_that_it_runs(finished: Checkout) -> None:
    code, said = status(finished)
    assert code == 0 and {job["state"] for job in said["jobs"]} == {"done"}
    assert {cell["state"] for line in said["lines"] for cell in line["cells"]} == {"done"}
    assert list(finished.folder.glob("results/logs/**/*.running.json")) == []


def test_a_lost_score_is_missing_with_what_was_made_of_it(checkout: Checkout) -> None:
    run = next(checkout.folder.glob("results/small-*/runs/dpo/beta=0.1/seed=0"))
    (run / "scores/toyland/validation/rows.parquet").unlink()
    code, said = status(checkout)
    missing = {job["stage"] for job in said["jobs"] if job["state"] == "missing"}
    assert code == 10 and missing == {"score", "select", "generate", "aggregate", "report"}
    score = next(
        job
        for job in said["jobs"]
        if job["state"] == "missing" and job["stage"] == "score" and job["methods"] == ["dpo"]
    )
    assert sorted(score["outputs"].values()) == [False, True]
