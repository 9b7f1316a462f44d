"""What else can come over a run, once each."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from disturbed import CONFIG, Drill, jobs, killed, same, wait_for
from small_disk import small_disk

from plumbline.train.checkpoints import MARK

pytestmark = pytest.mark.drill
NOBODY = 65534
YEAR = 365 * 24 * 3600


def test_an_orphan_goes_on_after_its_snakemake_died(drill: Drill, finished: Drill) -> None:
    snakemake = drill.start()
    (orphan,) = wait_for(lambda: jobs(snakemake, "align")[:1])
    killed(snakemake)
    snakemake.wait()
    assert orphan.is_running()
    drill.again()
    assert not psutil.pid_exists(orphan.pid), "the run that came after waited for it"
    same(drill, finished)


def test_a_job_runs_twice_at_once(drill: Drill, finished: Drill) -> None:
    """As a scheduler that lost sight of a node starts it again."""
    snakemake = drill.start()
    (job,) = wait_for(lambda: jobs(snakemake, "align")[:1])
    twin = subprocess.Popen(job.cmdline(), cwd=drill.folder, env=job.environ())
    assert twin.wait() == 0 and snakemake.wait() == 0
    drill.run()
    same(drill, finished)


def test_sigterm_at_a_time_limit(drill: Drill, finished: Drill) -> None:
    snakemake = drill.start()
    wait_for(lambda: list(drill.results.rglob(f"checkpoint-4/{MARK}")))
    for job in jobs(snakemake, "align"):
        killed(job, signal.SIGTERM)
    assert snakemake.wait() != 0
    drill.again()
    same(drill, finished)


def test_a_checkpoint_is_truncated(drill: Drill, finished: Drill) -> None:
    snakemake = drill.start()
    mark = wait_for(lambda: list(drill.results.glob(f"*/runs/dpo/*/*/work/*/{MARK}")))[0]
    for job in jobs(snakemake, "align"):
        killed(job)
    snakemake.wait()
    for weights in drill.results.rglob("checkpoint-*/model.safetensors"):
        os.truncate(weights, weights.stat().st_size // 2)
    assert mark.is_file(), "the drill came too late"
    drill.again()
    assert "is truncated, and passed over" in drill.logs()
    same(drill, finished)


def test_the_disk_is_full(drill: Drill, finished: Drill) -> None:
    """Room for what is there and no more; then there is room again."""
    size = int(subprocess.check_output(["du", "-sk", drill.results]).split()[0])
    drill.results.rename(drill.folder / "before")
    with small_disk(drill.results, size + 600):
        subprocess.run(["cp", "-a", f"{drill.folder}/before/.", drill.results], check=True)
        drill.run(check=False)
        assert "the disk is full" in drill.logs()
        subprocess.run(["mount", "-o", "remount,size=1g", drill.results], check=True)
        drill.again()
        same(drill, finished)


@pytest.mark.parametrize("shift", [YEAR, -YEAR])
def test_file_times_in_the_future_and_the_past(finished: Drill, tmp_path: Path, shift: int) -> None:
    """Of every other file of a finished run."""
    drill = finished.copy(tmp_path / "checkout")
    draw, then = random.Random(shift), time.time() + shift
    for path in sorted(drill.results.rglob("*")):
        if path.is_file() and draw.random() < 0.5:
            os.utime(path, (then, then))
    drill.run()
    same(drill, finished)


def test_the_results_belong_to_another_user(finished: Drill, tmp_path: Path) -> None:
    """And who runs Snakemake is root without root's right to write everywhere."""
    drill = finished.copy(tmp_path / "checkout")
    for path in [drill.folder, *drill.folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    rights = "-dac_override,-dac_read_search"
    command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", sys.executable]
    done = subprocess.run(
        [*command, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG],
        cwd=drill.folder,
        env=drill.checkout.environment(),
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "IntegrityError" in said and "belongs to nobody" in said and "chown" in said, said
    assert "Traceback" not in said
    same(drill, finished)


def test_a_torn_file_is_never_read_as_whole(finished: Drill, tmp_path: Path) -> None:
    """Its error says what to type; typed, the same tables come out."""
    drill = finished.copy(tmp_path / "checkout")
    torn = sorted(drill.results.glob("*/runs/dpo/*/*/scores/toyland/validation/items.parquet"))[0]
    os.truncate(torn, torn.stat().st_size // 2)
    drill.run("--forcerun", "aggregate", check=False)
    said = drill.logs()
    assert "is not a whole parquet file" in said
    typed = said.split("type `rm ")[1].split("`")[0]
    subprocess.run(["rm", *typed.split()], cwd=drill.folder, check=True)
    drill.again()
    same(drill, finished)
