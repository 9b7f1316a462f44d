"""The jobs as objects, held against what Snakemake ran."""

import pytest

from plumbline import config, jobs


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
