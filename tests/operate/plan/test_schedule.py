"""Wall time, by hand from jobs of whole seconds."""

import pytest
from planned_jobs import job

from plumbline import jobs
from plumbline.errors import ConfigError
from plumbline.operate.plan.estimate import MEASURED, UNKNOWN, Estimate
from plumbline.operate.plan.schedule import Places, of_profile, wall


@pytest.fixture
def estimates(experiment):
    """Every job of config/test.yaml takes 10 s."""
    return [Estimate(item, MEASURED, 10.0) for item in jobs.every(experiment())]


def test_one_place_takes_the_sum(estimates):
    assert wall(estimates, Places(jobs=1)) == 10 * len(estimates)


def test_without_end_of_places_the_longest_chain_counts(estimates):
    """data, pretrain, sft, reference, align, generate, score, select, generate, score, aggregate,
    report."""
    assert wall(estimates, Places(jobs=100)) == 10 * 12


def test_a_method_waits_for_its_own_jobs_only(experiment):
    """dpo is trained in 10 s and pro_p in 30; their answers take 10 s: 40, and not 30 + 10 + 10."""
    asked = experiment()
    items = [
        Estimate(job(asked, "align", "dpo"), MEASURED, 10.0),
        Estimate(job(asked, "align", "pro_p"), MEASURED, 30.0),
        Estimate(job(asked, "generate", "dpo", "validation"), MEASURED, 25.0),
    ]
    assert wall(items, Places(jobs=2)) == 35


def test_two_jobs_never_share_a_card(experiment):
    asked = experiment()
    items = [
        Estimate(job(asked, "align", name), MEASURED, 10.0, gpus=1) for name in ("dpo", "pro_p")
    ]
    assert wall(items, Places(jobs=4, gpus=2)) == 10
    assert wall(items, Places(jobs=4, gpus=1)) == 20


def test_scoring_stays_on_the_head_node(experiment):
    asked = experiment()
    scores = [
        Estimate(job(asked, "score", name, "validation"), MEASURED, 10.0)
        for name in ("dpo", "pro_p", "pro_b")
    ]
    assert wall(scores, Places(jobs=32, local=1)) == 30
    assert wall(scores, Places(jobs=32)) == 10


def test_unknown_time_counts_as_none(experiment):
    assert wall([Estimate(job(experiment(), "align", "dpo"), UNKNOWN)], Places(jobs=1)) == 0


def test_the_profiles_that_ship(repository):
    assert of_profile(repository / "profiles" / "slurm") == Places(jobs=32, local=4)
    assert of_profile(repository / "profiles" / "default") == Places(jobs=2, gpus=1)
    with pytest.raises(ConfigError, match="--profile: no .*config.yaml"):
        of_profile(repository / "profiles")
