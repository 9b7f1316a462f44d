"""The jobs of the workflow: which there are, what each works on, and what it leaves.

The rules are made from these objects, and what tells how far a run is or what it will cost reads
the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plumbline import layout
from plumbline.config import Experiment
from plumbline.layout import Evaluation, Run, SettingFolder


@dataclass(frozen=True)
class Job:
    """One process that the workflow starts.

    rule: the name of its rule. names: what tells it apart from others of its stage, as its log is
    named. methods: the entrants it works for, none where it serves all. runs: the models it trains,
    or asks on validation. evaluations: where the answers and scores lie that it makes.
    """

    stage: str
    rule: str
    names: tuple[str, ...]
    outputs: tuple[Path, ...]
    setting: SettingFolder | None = None
    methods: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    split: str | None = None

    @property
    def log(self) -> Path:
        return layout.log(self.stage, *self.names)

    @property
    def timing(self) -> Path:
        """The wall seconds, CPU seconds and peak memory, as Snakemake measured them."""
        return layout.timing(self.stage, *self.names)

    @property
    def method(self) -> str:
        """The entrant of a job that works for one."""
        return self.methods[0]


def every(experiment: Experiment) -> list[Job]:
    """All jobs of an experiment, each after those that it waits for."""
    settings = experiment.setting_folders().values()
    return [
        *(job for folders in settings for job in preparing(experiment, folders)),
        *aligning(experiment),
        *generating_validation(experiment),
        *scoring_validation(experiment),
        *(job for folders in settings for job in selecting(experiment, folders)),
        *generating_test(experiment),
        *scoring_test(experiment),
        *finishing(experiment),
    ]


def aligning(experiment: Experiment) -> Iterator[Job]:
    """Jobs that train runs of one method: fewer of a method whose runs take longer."""

    def size(method: str) -> int:
        asked = experiment.execution.runs_per_job
        return max(1, asked // max(1, needs(experiment, method)))

    for folders, method, number, runs in _run_chunks(experiment, size):
        names = (folders.name, method, number)
        records = tuple(run.record for run in runs)
        yield Job("align", _rule("align", names), names, records, folders, (method,), runs)


def generating_validation(experiment: Experiment) -> Iterator[Job]:
    """Jobs in which runs of one method answer the prompts of validation."""
    return _on_validation(experiment, "generate", responses)


def scoring_validation(experiment: Experiment) -> Iterator[Job]:
    """Jobs that score runs of one method on validation."""
    return _on_validation(experiment, "score", scores)


def generating_test(experiment: Experiment) -> Iterator[Job]:
    """Jobs in which what is tested of some methods answers the prompts of the test split."""
    return _on_test(experiment, "generate", responses)


def scoring_test(experiment: Experiment) -> Iterator[Job]:
    """Jobs that score what is tested of some methods on the test split."""
    return _on_test(experiment, "score", scores)


Outputs = Callable[[Experiment, Sequence[Evaluation], str], list[Path]]


def _on_validation(experiment: Experiment, stage: str, outputs: Outputs) -> Iterator[Job]:
    size = experiment.execution.models_per_job
    for folders, method, number, runs in _run_chunks(experiment, lambda _: size):
        names = (folders.name, method, number)
        evaluations = tuple(run.evaluation() for run in runs)
        yield Job(
            stage,
            _rule(f"{stage}_validation", names),
            ("validation", *names),
            tuple(outputs(experiment, evaluations, "validation")),
            folders,
            (method,),
            runs,
            evaluations,
            "validation",
        )


def _on_test(experiment: Experiment, stage: str, outputs: Outputs) -> Iterator[Job]:
    for folders, number, methods in _method_chunks(experiment):
        names = (folders.name, number)
        evaluations = tuple(tested(experiment, folders, methods))
        yield Job(
            stage,
            _rule(f"{stage}_test", names),
            ("test", *names),
            tuple(outputs(experiment, evaluations, "test")),
            folders,
            methods,
            evaluations=evaluations,
            split="test",
        )


def preparing(experiment: Experiment, folders: SettingFolder) -> list[Job]:
    """What a setting's methods stand on: data, base models and passes over the training rows."""
    name = folders.name
    return [
        Job("data", "data", (name,), (folders.data_record, folders.record), folders),
        Job("pretrain", "pretrain", (name,), (folders.pretrain.record,), folders),
        Job("sft", "sft", (name,), (folders.sft.record,), folders),
        *dict.fromkeys(
            job
            for method in filter(experiment.is_trained, experiment.methods)
            for job in (
                *_auxiliaries(experiment, folders, method),
                *_passes(experiment, folders, method),
            )
        ),
    ]


def _auxiliaries(experiment: Experiment, folders: SettingFolder, method: str) -> Iterator[Job]:
    """The jobs that train the models which a method's passes ask beside the reference."""
    for need in experiment.method(method).annotated:
        for item in folders.auxiliaries(need):
            yield _pass("reference", folders, folders.reference("pairs"), "pairs")
            yield _pass("auxiliary", folders, item.record, item.folder.name)


def _passes(experiment: Experiment, folders: SettingFolder, method: str) -> Iterator[Job]:
    """The jobs that make what a method asks to be computed before it trains."""
    spec, prompts = experiment.method(method), experiment.prompts(method)
    if prompts:
        yield _pass("reward", folders, folders.rewards(prompts.reward), prompts.reward)
    for feedback in spec.references:
        yield _pass("reference", folders, folders.reference(feedback), feedback)
    if spec.embedded:
        yield _pass("embed", folders, folders.embeddings(spec.feedback), spec.feedback)
    for need in spec.annotated:
        output = folders.annotation(spec.feedback, need)
        yield _pass("annotate", folders, output, spec.feedback, need)


def _pass(stage: str, folders: SettingFolder, output: Path, *names: str) -> Job:
    return Job(stage, stage, (folders.name, *names), (output,), folders)


def selecting(experiment: Experiment, folders: SettingFolder) -> list[Job]:
    """Jobs that choose a method's point."""
    name, experiment_name = folders.name, experiment.experiment
    return [
        Job(
            "select",
            "select",
            (name, method),
            (folders.selection(experiment_name, method),),
            folders,
            (method,),
        )
        for method in experiment.entrants
    ]


def collected(experiment: Experiment) -> list[Path]:
    """What the tables are made from: all scores and selections."""
    settings = experiment.setting_folders().values()
    return [
        *(path for job in scoring_validation(experiment) for path in job.outputs),
        *(path for job in scoring_test(experiment) for path in job.outputs),
        *(
            path
            for folders in settings
            for job in selecting(experiment, folders)
            for path in job.outputs
        ),
    ]


def finishing(experiment: Experiment) -> list[Job]:
    """The jobs that make tables, figures and the page."""
    folder, names = experiment.folder, (experiment.experiment,)
    made = (folder.rows, folder.items, folder.dynamics, folder.provenance, folder.tables)
    return [
        Job("aggregate", "aggregate", names, made),
        Job("report", "report", names, (folder.report, folder.figures)),
    ]


def needs(experiment: Experiment, method: str) -> int:
    """How much a method asks of the engine; who asks more takes longer, and starts first."""
    return len(experiment.method(method).card.needs) if experiment.is_trained(method) else 0


def passes(experiment: Experiment, folders: SettingFolder, method: str) -> list[Path]:
    """The reference file that a method's feedback needs, and what else it asks to be computed."""
    if not experiment.is_trained(method):
        return []
    return [path for job in _passes(experiment, folders, method) for path in job.outputs]


def selections(
    experiment: Experiment, folders: SettingFolder, methods: Sequence[str]
) -> list[Path]:
    """The selection files of some methods."""
    return [folders.selection(experiment.experiment, method) for method in methods]


def tested(
    experiment: Experiment, folders: SettingFolder, methods: Sequence[str]
) -> list[Evaluation]:
    """The evaluations of what is tested of some methods: their selected points or grids."""
    return [item for method in methods for item in experiment.test_evaluations(folders, method)]


def responses(experiment: Experiment, evaluations: Sequence[Evaluation], split: str) -> list[Path]:
    """The answers that a split's benchmarks read."""
    answered = [
        name
        for name in experiment.benchmarks_on(split)
        if experiment.benchmark(name).needs == "responses"
    ]
    return [item.responses(name) for item in evaluations for name in answered]


def scores(experiment: Experiment, evaluations: Sequence[Evaluation], split: str) -> list[Path]:
    """The scores that a split's benchmarks give."""
    names = experiment.benchmarks_on(split)
    return [item.rows(name) for item in evaluations for name in names]


def _chunks(items: Sequence, size: int) -> list[tuple]:
    """Items in groups of at most `size`: the work of one process."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def _run_chunks(
    experiment: Experiment, size: Callable[[str], int]
) -> Iterator[tuple[SettingFolder, str, str, tuple[Run, ...]]]:
    """(setting, method, number, runs) for every job; `size` tells how many runs it takes."""
    for folders in experiment.setting_folders().values():
        for method in experiment.entrants:
            groups = _chunks(experiment.runs(folders, method), size(method))
            for number, runs in enumerate(groups):
                yield folders, method, str(number), runs


def _method_chunks(
    experiment: Experiment,
) -> Iterator[tuple[SettingFolder, str, tuple[str, ...]]]:
    """(setting, number, methods) for every job that tests methods."""
    points = experiment.grid_points if experiment.tested == "grid" else 1
    models = experiment.execution.models_per_job
    size = max(1, models // (len(experiment.seeds) * points))
    for folders in experiment.setting_folders().values():
        for number, methods in enumerate(_chunks(experiment.entrants, size)):
            yield folders, str(number), methods


def _rule(stage: str, names: Sequence[str]) -> str:
    return "_".join([stage, *names])
