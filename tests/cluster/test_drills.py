"""What goes wrong on a cluster, while a model is trained there: what the user types after it, and
that the tables are then those of a run in which nothing went wrong."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest
import slurm_machine
from clustered import TABLES, Cluster, slurm

pytestmark = pytest.mark.cluster


def job_of(cluster: Cluster) -> str:
    """The id of the checkout's job that trains; jobs of other checkouts are on the cluster too."""
    running = slurm("squeue", "-h", "-t", "running", "-o", "%i %Z").splitlines()
    [found] = [line.split()[0] for line in running if line.endswith(str(cluster.folder))]
    return found


def of_job(job: str, key: str) -> str:
    """What the controller says of a job, e.g. NodeList."""
    return re.search(rf"\b{key}=(\S+)", slurm("scontrol", "show", "job", job))[1]


def processes_on(variable: str, value: str) -> list[psutil.Process]:
    """Processes of jobs, by a variable that Slurm gives to each."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable) == value:
                found.append(process)
    return found


def starts(said: str) -> int:
    """How often Snakemake has submitted a job."""
    return said.count("has been submitted with SLURM jobid")


def is_as_if_nothing_had_happened(cluster: Cluster, undisturbed: Cluster) -> bool:
    """Whether the tables are those of the undisturbed run, byte for byte. Drills are of one job:
    what follows it is run without Slurm."""
    cluster.locally(TABLES)
    return cluster.tables() == undisturbed.tables()


@pytest.fixture(scope="module", autouse=True)
def limited(undisturbed: Cluster, tmp_path_factory) -> Iterator[tuple[Cluster, subprocess.Popen]]:
    """A job that meets its limit of one minute, started first: Slurm knows no shorter limit. It
    trains for seconds; so it is stopped, until Slurm ends it."""
    cluster = undisturbed.without_a_model(tmp_path_factory.mktemp("limited") / "checkout")
    process = cluster.train("--set-resources", f"{cluster.align}:runtime=1")
    for each in processes_on("SLURM_JOB_ID", job_of(cluster)):
        if "align" in each.cmdline():
            each.suspend()
    yield cluster, process
    process.kill()


def test_a_job_is_cancelled(cluster, undisturbed):
    """Nothing to type: the profile's `retries` submits it again."""
    process = cluster.train()
    slurm("scancel", job_of(cluster))
    said = cluster.finish(process)
    assert starts(said) == 2, said
    assert is_as_if_nothing_had_happened(cluster, undisturbed)


def test_a_node_is_drained(cluster, undisturbed):
    """Nothing to type: its job ends there, and new ones go elsewhere."""
    process = cluster.train()
    node = of_job(job_of(cluster), "NodeList")
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=drill")
    try:
        said = cluster.finish(process)
        assert starts(said) == 1, said
    finally:
        slurm("scontrol", "update", f"nodename={node}", "state=resume")
    assert is_as_if_nothing_had_happened(cluster, undisturbed)


def test_snakemake_is_killed(cluster, undisturbed):
    """The job goes on. Type `snakemake --unlock` and the command again, without waiting."""
    process = cluster.train()
    job = job_of(cluster)
    process.kill()
    process.wait()
    assert of_job(job, "JobState") == "RUNNING"
    assert cluster.start("--unlock").wait(timeout=60) == 0
    cluster.finish(cluster.start(str(cluster.model / "run.json")))
    assert is_as_if_nothing_had_happened(cluster, undisturbed)


def test_a_job_meets_its_time_limit(limited, undisturbed):
    """Nothing to type: the profile's `retries` submits it again, and it goes on."""
    cluster, process = limited
    said = cluster.finish(process)
    assert "TIMEOUT" in said and starts(said) == 2, said
    assert is_as_if_nothing_had_happened(cluster, undisturbed)


def test_a_node_is_gone(cluster, undisturbed):
    """Nothing to type: Slurm queues its job again. Last, as `limited`'s job may be there, too."""
    process = cluster.train()
    job = job_of(cluster)
    node = of_job(job, "NodeList")
    os.kill(slurm_machine.pid(f"slurmd.{node}"), signal.SIGKILL)
    for each in [*processes_on("SLURMD_NODENAME", node), *steps_of(job)]:
        with suppress(psutil.Error):
            each.kill()
    said = cluster.finish(process)
    assert starts(said) == 1 and of_job(job, "Restarts") == "1", said
    slurm_machine.start_node(node)
    assert is_as_if_nothing_had_happened(cluster, undisturbed)


def steps_of(job: str) -> list[psutil.Process]:
    """Slurm's own processes beside a job's, which are called `slurmstepd: [JOB.batch]`."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if f"[{job}." in " ".join(each.info["cmdline"] or [])]
