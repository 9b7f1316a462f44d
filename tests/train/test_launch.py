"""A run as the workflow starts it on several processes: the model of one process, made by two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import config
from plumbline.artifacts import folder_digest, read_json, read_rows
from plumbline.model.folder import load
from plumbline.schema import Execution
from plumbline.train import base
from plumbline.train.reference import reference
from plumbline.train.run import Bench

ROOT = Path(__file__).resolve().parent.parent.parent
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
LAUNCH += ["--config_file", str(ROOT / "config" / "accelerate" / "ddp.yaml")]
LAUNCH += ["--main_process_port", "0", "--no_python"]


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_two_processes_make_the_run_of_one(raw, setting, folders, method):
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    execution = Execution(processes=2)
    experiment = config.parse(raw | {"execution": execution.model_dump()})
    feedback = experiment.method(method).feedback
    reference(setting, folders, feedback, execution)
    [*_, run] = experiment.runs(folders, method)
    Bench(experiment, folders, method).train(run)
    alone, log = load(run.model)[0].state_dict(), read_rows(run.dynamics)
    run.record.unlink()
    plumbline = Path(sys.executable).with_name("plumbline")
    done = subprocess.run(
        [*LAUNCH, plumbline, "align", experiment.write(), run.record],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record = read_json(run.record)
    assert record["status"] == "ok" and record["model"] == folder_digest(run.model)
    assert record["geometry"] == {"batch": 16, "micro": 8, "processes": 2}
    both = load(run.model)[0].state_dict()
    assert both.keys() == alone.keys() and not run.work.exists()
    distance = sum((both[name] - item).norm() ** 2 for name, item in alone.items()) ** 0.5
    start = load(folders.sft.model)[0].state_dict()
    moved = sum((start[name] - item).norm() ** 2 for name, item in alone.items()) ** 0.5
    assert distance < 0.02 * moved
    steps = [(row["step"], row["split"], row["metric"]) for row in log]
    assert [(row["step"], row["split"], row["metric"]) for row in read_rows(run.dynamics)] == steps
