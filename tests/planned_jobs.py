"""Finding a job of an experiment."""

from plumbline import jobs
from plumbline.config import Experiment
from plumbline.jobs import Job


def job(experiment: Experiment, stage: str, method: str, split: str | None = None) -> Job:
    """The first job of a stage that works for a method."""
    found = (item for item in jobs.every(experiment) if item.stage == stage)
    return next(item for item in found if method in item.methods and item.split == split)
