"""kill -9 at moments drawn from a seed: of Snakemake, of a job, of the judge's gateway."""

import time

import pytest
from disturbed import Drill, jobs, killed, same, wait_for

pytestmark = pytest.mark.drill
#: Seconds from the first job to the last of an undisturbed run, about.
LENGTH = 25.0
STAGES = ("align", "generate", "score", "select", "aggregate", "report")


def test_snakemake_is_killed(drill: Drill, finished: Drill, draw) -> None:
    """Its jobs go on as orphans; the next run waits for what they hold."""
    snakemake = drill.start()
    wait_for(lambda: jobs(snakemake, *STAGES))
    time.sleep(draw.uniform(0, LENGTH))
    killed(snakemake)
    snakemake.wait()
    drill.again()
    same(drill, finished)


def test_a_job_is_killed(drill: Drill, finished: Drill, draw) -> None:
    """Snakemake sees it fail, removes its outputs, and ends with an error."""
    snakemake = drill.start()
    wait_for(lambda: jobs(snakemake, *STAGES))
    time.sleep(draw.uniform(0, LENGTH))
    found = wait_for(lambda: jobs(snakemake, *STAGES) or snakemake.poll() is not None)
    if found is not True:
        killed(draw.choice(found))
    snakemake.wait()
    drill.again()
    same(drill, finished)


def test_the_gateway_is_killed(drill: Drill, finished: Drill, draw) -> None:
    """It lives in the job that scores: both die while the judge is being asked."""
    drill.run("--until", *rules(drill, "generate_validation"))
    snakemake = drill.start()
    found = wait_for(lambda: jobs(snakemake, "score"))
    time.sleep(draw.uniform(0, 8))
    killed(found[0])
    snakemake.wait()
    drill.again()
    same(drill, finished)


def rules(drill: Drill, start: str) -> list[str]:
    """The names of the rules that begin so."""
    listed = drill.run("--list-rules").split()
    return [name for name in listed if name.startswith(start)]
