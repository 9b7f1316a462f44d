"""The jobs as objects, held against what Snakemake ran."""

import re

import pytest

from plumbline import config, jobs
from plumbline.operate.chain import inputs


@pytest.fixture
def expected(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    return jobs.every(config.read(finished.folder / "config" / "test.yaml"))


def test_every_job_left_its_log_and_its_outputs(expected):
    missing = [path for job in expected for path in (job.log, *job.outputs) if not path.exists()]
    assert missing == []


def test_every_log_and_timing_is_of_a_job(expected, finished):
    root = finished.folder / "results"
    logs = {path.relative_to(finished.folder) for path in (root / "logs").rglob("*.log")}
    timings = {path.relative_to(finished.folder) for path in (root / "timings").rglob("*.tsv")}
    assert logs == {job.log for job in expected}
    assert timings == {job.timing for job in expected}


def test_a_job_comes_after_those_whose_files_it_reads(expected):
    made = {path: number for number, job in enumerate(expected) for path in job.outputs}
    for number, job in enumerate(expected):
        if job.stage in ("generate", "score") and job.runs:
            assert all(made[run.record] < number for run in job.runs)


def test_jobs_read_what_the_rules_ask_for(fresh, monkeypatch):
    """Of other jobs; what is the checkout's own, such as a method's file, is left out."""
    said = fresh.snakemake("-n", "--configfile", "config/test.yaml")
    asked = {
        found[2]: {path for path in found[1].split(", ") if path.startswith("results/")}
        for block in re.split(r"\n(?:local)?rule ", said)
        if (found := re.search(r"    input: (.*)\n(?:    .*\n)*?    log: (.*)", block))
    }
    monkeypatch.chdir(fresh.folder)
    experiment = config.read(fresh.folder / "config" / "test.yaml")
    read = {str(job.log): {*map(str, inputs(experiment, job))} for job in jobs.every(experiment)}
    assert asked == {log: paths for log, paths in read.items() if paths}
