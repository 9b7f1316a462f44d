"""What one job will take, on the best basis there is."""

from __future__ import annotations

from collections import defaultdict
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from plumbline import jobs
from plumbline.config import Experiment
from plumbline.jobs import Job
from plumbline.operate.plan import history
from plumbline.operate.plan.devices import Device, seconds
from plumbline.operate.plan.history import Rate, Recorded
from plumbline.operate.plan.operations import work
from plumbline.operate.plan.sizes import parameters, stored_bytes

MEASURED, SCALED, MODEL, UNKNOWN = "measured", "scaled", "model", "unknown"
#: Bytes of a parameter while it is trained: weight, gradient and RMSprop's state, four each.
TRAINED_BYTES = 12
#: Seconds of imports before a process begins: CPU seconds of TRL's side in docs/performance.md.
START = 4.5
TRAINING = ("pretrain", "sft", "auxiliary", "align")
#: Stages that ask for GPUs where the experiment's runs have some.
ON_GPU = ("sft", "reference", "embed", "auxiliary", "reward", "annotate", "align", "generate")


@dataclass(frozen=True)
class Estimate:
    """seconds: of wall time; cpu: seconds; memory: MB, at the peak; None: not known. gpus: that it
    holds all the time. basis: MEASURED, SCALED, MODEL or UNKNOWN."""

    job: Job
    basis: str
    seconds: float | None = None
    cpu: float | None = None
    memory: float | None = None
    gpus: int = 0

    @property
    def gpu(self) -> float | None:
        """GPU seconds; 0 for a job that holds none, however long it takes."""
        if not self.gpus:
            return 0.0
        return None if self.seconds is None else self.gpus * self.seconds


class Estimator:
    """Estimates of an experiment's jobs, from a results folder and an assumed device."""

    def __init__(self, experiment: Experiment, results: Path, device: Device) -> None:
        self.experiment, self.device = experiment, device
        self.jobs = {(job.stage, job.names): job for job in jobs.every(experiment)}
        self.same: dict[tuple, list[Recorded]] = defaultdict(list)
        self.kin: dict[tuple, list[Recorded]] = defaultdict(list)
        for row in history.recorded(results, self.jobs.values()):
            self.same[row.stage, history.subject(row.stage, row.names)].append(row)
            self.kin[row.stage, history.family(row.stage, row.names)].append(row)

    def of(self, experiment: Experiment) -> Estimator:
        """The same for an experiment with less in it: what was recorded is that of the whole."""
        other = copy(self)
        other.experiment = experiment
        return other

    def estimate(self, job: Job) -> Estimate:
        """What a job will take."""
        found = self._measured(job) or self._scaled(job) or self._modelled(job)
        return replace(found, gpus=self._gpus(job))

    def _gpus(self, job: Job) -> int:
        return self.experiment.execution.gpus_per_run if job.stage in ON_GPU else 0

    def _measured(self, job: Job) -> Estimate | None:
        rows = self.same[job.stage, history.subject(job.stage, job.names)]
        return self._at(job, MEASURED, history.rate(rows))

    def _scaled(self, job: Job) -> Estimate | None:
        """As other methods of the setting took, by what both compute; just as they, where that
        cannot be counted."""
        own = self._seconds(job)
        rows = []
        for row in self.kin[job.stage, history.family(job.stage, job.names)]:
            theirs = self._seconds(self.jobs[row.stage, row.names])
            if own is None:
                rows.append(row)
            elif own and theirs:
                scale = own / theirs
                rows.append(replace(row, seconds=row.seconds * scale, cpu=row.cpu * scale))
        return self._at(job, SCALED, history.rate(rows))

    def _seconds(self, job: Job) -> float | None:
        """What the device would take for one model of a job; None where that cannot be counted."""
        own = work(self.experiment, job)
        return own and seconds(own, self.device, 1) / len(history.models(job))

    def _at(self, job: Job, basis: str, rate: Rate | None) -> Estimate | None:
        if rate is None:
            return None
        count = len(history.models(job))
        return Estimate(job, basis, rate.seconds * count, rate.cpu * count, rate.memory)

    def _modelled(self, job: Job) -> Estimate:
        own = work(self.experiment, job)
        if own is None:
            return Estimate(job, UNKNOWN)
        wall = START + seconds(own, self.device, max(1, self._gpus(job)))
        processes = self.experiment.execution.processes if job.stage in TRAINING else 1
        return Estimate(job, MODEL, wall, wall * processes, self._memory(job))

    def _memory(self, job: Job) -> float | None:
        """MB of weights, and of what belongs to each in training; activations are left out."""
        model = self.experiment.setting_at(job.setting.name).model
        if job.stage in TRAINING and self._seconds(job):
            count = parameters(model)
            return count and count * TRAINED_BYTES / 1e6
        size = stored_bytes(model)
        return size and size / 1e6
