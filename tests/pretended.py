"""Files as jobs of the workflow leave them, without their work: for what reads how a run stands."""

from pathlib import Path

from plumbline import jobs
from plumbline.artifacts import write_json, write_rows
from plumbline.config import Experiment
from plumbline.jobs import Job
from plumbline.layout import point_name
from plumbline.operate.standing import models_of
from plumbline.operate.status import name_of
from plumbline.rows import RESULT


def job(experiment: Experiment, *words: str) -> Job:
    """The first job whose name has these words."""
    found = jobs.every(experiment)
    return next(item for item in found if {*words} <= {*name_of(item).split()})


def leave(experiment: Experiment, item: Job, count: int | None = None) -> None:
    """A job's first outputs, all without `count`, and its timing file where these are all."""
    models = models_of(experiment, item) if item.stage == "score" else {}
    for path in item.outputs[:count]:
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.stage == "align":
            write_json(path, {"model": f"the model of {path.parent}"})
        elif item.stage == "score":
            write_rows(path, [], RESULT, {"model": models[path.parents[3]]})
        elif item.stage == "select":
            select(experiment, item, path, "beta=0.1")
        elif item.stage == "aggregate" and path.name == "provenance.json":
            write_json(path, {"files": {}})
        elif path.suffix:
            path.write_text("")
        else:
            path.mkdir()
    if count is None:
        item.timing.parent.mkdir(parents=True, exist_ok=True)
        item.timing.write_text("s\n1\n")


def select(experiment: Experiment, item: Job, path: Path, wanted: str) -> None:
    """A selection of the point with this name, or of the method's first."""
    points = [point_name(point) for point in experiment.points(item.method)]
    chosen = wanted if wanted in points else points[0]
    write_json(path, {"point": chosen, "candidates": [{"point": name} for name in points]})


def leave_until(experiment: Experiment, *words: str) -> Job:
    """All jobs before the first whose name has these words; that job."""
    last = job(experiment, *words)
    for item in jobs.every(experiment):
        if item == last:
            return last
        leave(experiment, item)
    raise AssertionError("unreachable")


def leave_all(experiment: Experiment) -> None:
    for item in jobs.every(experiment):
        leave(experiment, item)
