"""kill -9 at moments drawn from a seed: of Snakemake, of a job, of the judge's gateway."""

import csv
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from disturbed import Drill, jobs, killed, same, wait_for

pytestmark = pytest.mark.drill
STAGES = ("align", "generate", "score", "select", "aggregate", "report")
#: Of what the undisturbed run took: a kill after its end would be none.
SHARE = 0.8


def seconds(drill: Drill, *stages: str) -> float:
    """How long the jobs of some stages took, one after the other, as Snakemake measured them."""
    found = 0.0
    for stage in stages:
        for path in (drill.results / "timings" / stage).rglob("*.tsv"):
            [row] = csv.DictReader(path.open(), delimiter="\t")
            found += float(row["s"])
    return found


@pytest.fixture
def answered_drill(answered: Drill, tmp_path: Path) -> Iterator[Drill]:
    """A copy of what the judge has yet to be asked about."""
    yield answered.copy(tmp_path / "checkout")
    shutil.rmtree(tmp_path / "checkout")


def disturbed(snakemake: subprocess.Popen) -> None:
    """Wait for a Snakemake that has been disturbed: it must not have ended well before."""
    assert snakemake.wait() != 0, "the kill came too late"


def test_snakemake_is_killed(drill: Drill, finished: Drill, draw) -> None:
    """Its jobs go on as orphans; the next run waits for what they hold."""
    snakemake = drill.start()
    wait_for(lambda: jobs(snakemake, *STAGES))
    time.sleep(draw.uniform(0, SHARE * seconds(finished, *STAGES)))
    killed(snakemake)
    disturbed(snakemake)
    drill.again()
    same(drill, finished)


def test_a_job_is_killed(drill: Drill, finished: Drill, draw) -> None:
    """Snakemake sees it fail, removes its outputs, and ends with an error."""
    snakemake = drill.start()
    wait_for(lambda: jobs(snakemake, *STAGES))
    time.sleep(draw.uniform(0, SHARE * seconds(finished, *STAGES)))
    killed(draw.choice(wait_for(lambda: jobs(snakemake, *STAGES))))
    disturbed(snakemake)
    drill.again()
    same(drill, finished)


def test_the_gateway_is_killed(answered_drill: Drill, finished: Drill, draw) -> None:
    """It lives in the job that scores: both die, most often while the judge is asked."""
    snakemake = answered_drill.start()
    [job] = wait_for(lambda: jobs(snakemake, "score"))
    time.sleep(draw.uniform(0, SHARE * seconds(finished, "score/validation")))
    killed(job)
    disturbed(snakemake)
    answered_drill.again()
    same(answered_drill, finished)
