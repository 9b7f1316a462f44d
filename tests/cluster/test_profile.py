"""The whole pipeline through the real profile, on a real Slurm."""

import re

import pytest
from clustered import slurm

pytestmark = pytest.mark.cluster
#: What runs on the head node: scoring asks judges over the network.
LOCAL = {"score", "select", "aggregate", "report", "all"}


def stages(said: str, pattern: str) -> set[str]:
    """The stages that a pattern finds in what Snakemake said."""
    return {name.split("_")[0] for name in re.findall(pattern, said)}


def test_tables_are_those_of_a_run_without_slurm(runs):
    here, there, _ = runs
    assert there.tables() == here.tables() and len(here.tables()) > 3


def test_judged_scoring_stays_on_the_head_node(runs):
    said = runs[2]
    submitted = stages(said, r"slurm_logs/rule_(\w+)")
    assert submitted == {"data", "pretrain", "sft", "reference", "align", "generate"}
    assert stages(said, r"localrule (\w+)") == LOCAL


def test_gpus_are_asked_of_the_scheduler(runs):
    """By every stage that uses torch; the experiment says one GPU each."""
    jobs = [job for job in slurm("scontrol", "show", "job").split("\n\n") if "there" in job]
    asked = {job.split("Comment=rule_")[1].split("_")[0]: "=gres:gpu:1" in job for job in jobs}
    with_gpu = dict.fromkeys(["pretrain", "sft", "reference", "align", "generate"], True)
    assert asked == {"data": False} | with_gpu


def test_nothing_is_to_be_done_again_without_slurm_or_with_it(runs):
    for checkout in runs[:2]:
        process = checkout.start()
        assert "Nothing to be done" in checkout.finish(process)
        assert "Nothing to be done" in checkout.snakemake("--configfile", "config/cluster.yaml")
