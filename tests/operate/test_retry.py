"""The commands that status tells, as Snakemake takes them."""

import shlex
from dataclasses import replace
from pathlib import Path

from pretended import job, leave_until

from plumbline.operate import retry
from plumbline.operate.status import status


def test_the_target_is_the_first_file_that_does_not_stand_and_comes_before_configfile(two):
    last = leave_until(two, "align", "dpo")
    found = status(two, Path("my file.yaml"))
    item = next(item for item in found.standings if item.job == job(two, "align", "dpo"))
    words = shlex.split(retry.of_job(found, item))
    assert words[0:2] == ["snakemake", "--cores"]
    # Snakemake's --configfile takes every word after it for another file.
    assert words[3:] == [str(last.outputs[0]), "--configfile", "my file.yaml"]


def test_where_slurm_ran_the_jobs_the_profile_is_told(two):
    found = status(two, Path("two.yaml"))
    slurm = (replace(found.standings[0], slurm_job="4711"), *found.standings[1:])
    found = replace(found, standings=slurm)
    assert "--cores" in retry.whole(found)  # no profile is here
    Path("profiles/slurm").mkdir(parents=True)
    assert retry.whole(found).split()[1:3] == ["--workflow-profile", "profiles/slurm"]
