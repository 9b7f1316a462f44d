"""How the jobs of an experiment stand, by the files and notes they have left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from plumbline import jobs, layout
from plumbline.artifacts import read_json
from plumbline.config import Experiment
from plumbline.jobs import Job
from plumbline.operate.chain import inputs
from plumbline.operate.driver import Driver, of_folder
from plumbline.operate.logs import last_lines
from plumbline.operate.running import Process, of_log
from plumbline.operate.standing import standing

DONE, RUNNING, FAILED, WAITING, MISSING = "done", "running", "failed", "waiting", "missing"
#: In the order in which they are counted and shown. waiting: for a job that failed.
STATES = (DONE, RUNNING, FAILED, WAITING, MISSING)
#: Lines of a log that are told.
LINES = 8


@dataclass(frozen=True)
class Standing:
    """How a job stands. done: its outputs that stand. why: in words, "" where there is nothing to
    say. behind: the jobs that it waits for and that are not done, by name, in the workflow's order.
    """

    job: Job
    state: str
    done: tuple[Path, ...]
    why: str = ""
    behind: tuple[str, ...] = ()
    process: Process | None = None
    slurm_job: str | None = None
    lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """A name that no other job of the experiment has."""
        return name_of(self.job)


def name_of(job: Job) -> str:
    """The stage and what tells the job from others of it, as its log is named."""
    return " ".join([job.stage, *job.names])


@dataclass(frozen=True)
class Status:
    """How an experiment stands. file: the experiment file as it was given."""

    experiment: Experiment
    file: Path
    standings: tuple[Standing, ...]
    driver: Driver

    @cached_property
    def counts(self) -> dict[str, int]:
        """State -> jobs in it."""
        states = [item.state for item in self.standings]
        return {state: states.count(state) for state in STATES}

    @cached_property
    def by_name(self) -> dict[str, Standing]:
        return {item.name: item for item in self.standings}

    def of(self, state: str) -> list[Standing]:
        """The jobs in a state."""
        return [item for item in self.standings if item.state == state]

    @property
    def slurm(self) -> bool:
        """Whether a job that runs or failed was Slurm's."""
        return any(item.slurm_job for item in self.standings)


def status(experiment: Experiment, file: Path) -> Status:
    """How an experiment stands in the working directory."""
    return Status(experiment, file, tuple(stand(experiment)), of_folder(Path.cwd()))


def stand(experiment: Experiment) -> Iterable[Standing]:
    """How each job stands, each after those that it waits for."""
    whole: set[Path] = set()
    found: dict[str, Standing] = {}
    every = jobs.every(experiment)
    makers = {path: name_of(job) for job in every for path in job.outputs}
    for job in every:
        done = standing(experiment, job)
        read = inputs(experiment, job)
        sources = dict.fromkeys(makers[path] for path in read if path not in whole)
        if sources and not in_parts(job):
            done = []
        item = judged(job, done, [found[name] for name in sources])
        whole.update(done)
        found[item.name] = item
    return found.values()


def in_parts(job: Job) -> bool:
    """Whether each of a job's files is of one model, and keeps its worth where others lack."""
    return job.stage in ("align", "generate", "score")


def judged(job: Job, done: list[Path], sources: list[Standing]) -> Standing:
    """How a job stands. sources: the jobs that have yet to make what it reads."""
    behind = dict.fromkeys(name for item in sources for name in [*item.behind, item.name])
    base = Standing(job, MISSING, tuple(done), behind=tuple(behind))
    if process := of_log(job.log):
        if process.alive is not False:
            return running(base, process)
        if len(done) < len(job.outputs):
            return killed(base, process)
    if len(done) == len(job.outputs) and not behind:
        return Standing(job, DONE, tuple(done))
    return failed(base) or waiting(base, sources)


def running(base: Standing, process: Process) -> Standing:
    """A job whose process is alive, or cannot be asked from here."""
    why = process.words
    if process.alive is None:
        why += f"; whether it is still alive, ask `{process.question}`"
    return replace(base, state=RUNNING, why=why, process=process, slurm_job=process.slurm_job)


def killed(base: Standing, process: Process) -> Standing:
    """A job that ended without a word."""
    why = f"killed: its process is gone ({process.words})"
    lines = tuple(last_lines(base.job.log, LINES))
    slurm = process.slurm_job
    return replace(base, state=FAILED, why=why, lines=lines, process=process, slurm_job=slurm)


def failed(base: Standing) -> Standing | None:
    """The job as failed, by the error that it left, or by a log that nothing came of."""
    job, note = base.job, layout.error_note(base.job.log)
    lines = tuple(last_lines(job.log, LINES))
    if note.is_file():
        said = read_json(note)
        return replace(
            base, state=FAILED, why=said["error"], lines=lines, slurm_job=said.get("slurm_job")
        )
    if lines and not job.timing.is_file() and len(base.done) < len(job.outputs):
        return replace(base, state=FAILED, why="its log ends without a result", lines=lines)
    return None


def waiting(base: Standing, sources: Iterable[Standing]) -> Standing:
    """A job that has not begun, or whose files are no longer of what is there."""
    for item in sources:
        if item.state in (FAILED, WAITING):
            cause = item.name if item.state == FAILED else item.why.removeprefix("for ")
            return replace(base, state=WAITING, why=f"for {cause}")
    there = [path for path in base.job.outputs if path.exists() and path not in base.done]
    after = f"after {base.behind[0]}" if base.behind else ""
    return replace(base, why="made of what is no longer there" if there else after)


def groups(standings: Iterable[Standing]) -> Mapping[str, list[Standing]]:
    """The jobs by stage, generate and score once for each split, in the workflow's order."""
    found: dict[str, list[Standing]] = {}
    for item in standings:
        label = " ".join(filter(None, [item.job.stage, item.job.split]))
        found.setdefault(label, []).append(item)
    return found
