"""The whole plan: which basis a job gets, and that nothing unknown is a zero."""

import subprocess
import sys
from pathlib import Path

import pytest
from planned_jobs import job

from plumbline import config, jobs
from plumbline.operate.plan.devices import device
from plumbline.operate.plan.estimate import MEASURED, MODEL, SCALED, UNKNOWN, Estimator
from plumbline.operate.plan.schedule import LAPTOP
from plumbline.operate.plan.total import Sum, plan, to_do, total

RESULTS = Path("results")


def planned(experiment):
    return plan(Estimator(experiment, RESULTS, device(experiment, None, None)), LAPTOP)


def of(found, wanted):
    return next(item for item in found.every if item.job == wanted)


def test_measured_comes_first_then_another_method_then_the_model(experiment, ran):
    """DPO's two runs took 10 s. PRO-P computes the same; PRO-B passes 640 * 21 tokens once where
    DPO passes 320 * 32, for one run."""
    asked = experiment()
    ran(job(asked, "align", "dpo"), seconds=10, cpu=8)
    found = planned(asked)
    dpo, pro_p = of(found, job(asked, "align", "dpo")), of(found, job(asked, "align", "pro_p"))
    pro_b = of(found, job(asked, "align", "pro_b"))
    assert (dpo.basis, dpo.seconds, dpo.cpu) == (MEASURED, 10, 8)
    assert (pro_p.basis, pro_p.seconds) == (SCALED, 10)
    assert (pro_b.basis, pro_b.seconds) == (SCALED, pytest.approx(5 * 640 * 21 / (320 * 32)))
    bases = {item.job.stage: item.basis for item in found.every if item.job.stage != "align"}
    assert bases["sft"] == bases["generate"] == MODEL
    assert bases["select"] == bases["score"] == UNKNOWN


def test_what_is_not_known_is_missing(experiment):
    unknown = [item for item in planned(experiment()).every if item.basis == UNKNOWN]
    assert {item.seconds for item in unknown} == {item.cpu for item in unknown} == {None}
    assert total([None, 2.0, 3.0]) == Sum(5.0, 1, 3)
    assert total([None]).value is None and total([]).value == 0


def test_what_is_there_is_not_to_be_done(experiment):
    asked = experiment()
    chosen = job(asked, "select", "dpo")
    [path] = chosen.outputs
    assert to_do(chosen)
    path.parent.mkdir(parents=True)
    path.touch()
    assert not to_do(chosen)
    assert len(planned(asked).todo) == len(jobs.every(asked)) - 1


def test_gpus_are_counted_where_jobs_hold_them(experiment):
    asked = experiment(execution={"gpus_per_run": 2})
    found = planned(asked)
    align = of(found, job(asked, "align", "dpo"))
    assert align.gpu == pytest.approx(2 * align.seconds)
    assert of(found, job(asked, "select", "dpo")).gpu == 0


def test_the_papers_table_is_planned_without_network_and_torch(repository, tmp_path):
    code = (
        "import sys, socket\n"
        "def refuse(*address): raise OSError('no network')\n"
        "socket.getaddrinfo = refuse\n"
        "from plumbline.cli.app import app\n"
        f"app(['plan', '{repository}/config/paper/table1.yaml'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "align" in done.stdout and "GPU" in done.stdout
    assert list(tmp_path.iterdir()) == [], "a plan leaves nothing behind"


@pytest.mark.parametrize("name", ["table1", "table2", "figure2", "appendix_h"])
def test_training_of_the_papers_models_has_a_basis(name, repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = config.read(repository / f"config/paper/{name}.yaml")
    align = [item for item in planned(asked).every if item.job.stage == "align"]
    assert align and all(item.basis == MODEL for item in align)
