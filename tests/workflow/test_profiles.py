"""A profile says where and how to run. Nothing in it can change a number."""

import re
from pathlib import Path

import pytest
import yaml
from checkout import REPOSITORY, Checkout

PROFILES = sorted((REPOSITORY / "profiles").glob("*/config.yaml"))
RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))

#: What a profile may say: who runs jobs, how many at once, in which order, how long to wait, what
#: to do with one that failed. Not among them: config, configfile, rerun-triggers, set-threads, ...
KEYS = set(
    "executor jobs cores local-cores resources default-resources latency-wait retries "
    "rerun-incomplete keep-going show-failed-logs seconds-between-status-checks scheduler".split()
)
#: The same of what belongs to one executor.
OF_EXECUTORS = re.compile(r"(slurm|cluster-generic)-[a-z-]+")
#: What a job may be given. No rule tells its command of it: see below.
RESOURCES = set("gpu mem_mb runtime cpus_per_task slurm_partition slurm_account".split())


def name(path: Path) -> str:
    return path.parent.name


def content(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def resources(profile: dict) -> set[str]:
    limits = {limit.split("=")[0] for limit in profile.get("resources", [])}
    return limits | set(profile.get("default-resources", {}))


def test_there_are_profiles():
    assert {name(path) for path in PROFILES} >= {"default", "slurm", "kubernetes"}


@pytest.mark.parametrize("path", PROFILES, ids=name)
def test_a_profile_says_how_to_run_and_nothing_else(path):
    profile = content(path)
    other = {key for key in profile if key not in KEYS and not OF_EXECUTORS.fullmatch(key)}
    assert other == set() and resources(profile) <= RESOURCES


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_no_rule_tells_its_command_what_it_was_given(path):
    """Threads are the experiment's; memory, minutes and attempts no command knows of."""
    told = r"\{(?:threads|resources|attempt)\b|lambda[^:]*\b(?:threads|resources|attempt)\b"
    assert re.findall(told, path.read_text()) == []


def without_executor(path: Path) -> dict:
    """A profile as it plans here, where plugins of executors are not installed."""
    profile = content(path)
    kept = {key: value for key, value in profile.items() if not OF_EXECUTORS.fullmatch(key)}
    return {key: value for key, value in kept.items() if key != "executor"}


@pytest.mark.parametrize("path", PROFILES, ids=name)
def test_under_every_profile_a_finished_run_is_finished(finished: Checkout, tmp_path: Path, path):
    """Nothing to be done: params, code and inputs of every job are what the default's were. And
    the experiment as it was parsed is the same file, named by its digest."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(without_executor(path)))
    parsed = finished.folder / "results/experiments/test/config"
    before = sorted(parsed.iterdir())
    assert finished.planned("--workflow-profile", str(tmp_path)) == set()
    assert sorted(parsed.iterdir()) == before != []
