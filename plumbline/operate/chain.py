"""What each job of the workflow reads: the files of other jobs."""

from __future__ import annotations

from pathlib import Path

from plumbline import jobs
from plumbline.config import Experiment
from plumbline.jobs import Job


def inputs(experiment: Experiment, job: Job) -> list[Path]:
    """The files of other jobs that a job waits for, as its rule asks for them."""
    if job.stage == "aggregate":
        return jobs.collected(experiment)
    if job.stage == "report":
        return list(jobs.finishing(experiment)[0].outputs[:4])
    folders = job.setting
    match job.stage:
        case "data":
            return []
        case "pretrain":
            return [folders.data_record]
        case "sft":
            return [folders.pretrain.record]
        case "auxiliary":
            return [folders.sft.record, folders.reference("pairs")]
        case "annotate":
            asked = folders.auxiliaries(job.names[-1])
            return [folders.sft.record, *(item.record for item in asked)]
        case "align":
            return [folders.sft.record, *jobs.passes(experiment, folders, job.method)]
        case "select":
            benchmark = experiment.select.benchmark
            runs = experiment.runs(folders, job.method)
            return [run.evaluation().rows(benchmark) for run in runs]
        case "generate" | "score":
            return evaluated(experiment, job)
    return [folders.sft.record]  # a pass over the training rows


def evaluated(experiment: Experiment, job: Job) -> list[Path]:
    """What answers and scores are made from: runs or selections, and answers."""
    if job.split == "validation":
        models = [run.record for run in job.runs]
    else:
        models = jobs.selections(experiment, job.setting, job.methods)
    if job.stage == "generate":
        return models
    return [*models, *jobs.responses(experiment, job.evaluations, job.split)]
