"""What earlier jobs took: a job holds several models, and passes over those that are there."""

from pathlib import Path

from planned_jobs import job

from plumbline.operate.plan import history

RESULTS = Path("results")


def test_a_job_is_divided_by_its_models(experiment, ran):
    """Two betas in one job of 10 s: 5 s each."""
    asked = experiment()
    dpo = job(asked, "align", "dpo")
    ran(dpo, seconds=10, cpu=8)
    [row] = history.recorded(RESULTS, [dpo])
    assert row.models == 2
    assert history.rate([row]) == history.Rate(seconds=5, cpu=4, memory=500, jobs=1)


def test_a_job_is_divided_by_what_it_made_only(experiment, ran):
    """The first of both runs was there, 10,000 s older: all 10 s are the second's."""
    dpo = job(experiment(), "align", "dpo")
    ran(dpo, seconds=10, cpu=8, made=1)
    assert history.rate(history.recorded(RESULTS, [dpo])).seconds == 10


def test_the_median_of_jobs_counts_and_the_most_memory(experiment):
    rows = [history.Recorded("align", ("s", "dpo", str(n)), 1, n, n, 100 * n) for n in (1, 2, 9)]
    assert history.rate(rows) == history.Rate(seconds=2, cpu=2, memory=900, jobs=3)
    assert history.rate([]) is None


def test_a_job_too_short_to_be_looked_at(experiment, ran):
    dpo = job(experiment(), "select", "dpo")
    ran(dpo, seconds=0.4, cpu="NA")
    assert history.recorded(RESULTS, [dpo])[0].cpu == 0


def test_evaluations_are_told_apart(experiment):
    """Two betas on one validation benchmark; test: four methods' three benchmarks and one more."""
    asked = experiment()
    scored = job(asked, "score", "dpo", "validation")
    assert [len(outputs) for outputs in history.models(scored)] == [1, 1]
    tested = job(asked, "score", "dpo", "test")
    assert [len(outputs) for outputs in history.models(tested)] == [4, 4, 4, 4]
