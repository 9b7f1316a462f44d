"""How many floating-point operations a job makes, where that is known without running it.

A token that is trained on costs 6 operations for each parameter, one that is only passed or written
costs 2 (Kaplan et al., arXiv:2001.08361, section 2.1); recomputing activations costs 2 more. Left
out: attention over long rows, judges, tokenizers, and whatever a benchmark does by itself.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from plumbline.config import Experiment
from plumbline.jobs import Job
from plumbline.operate.plan.sizes import parameters, tokens, training_rows
from plumbline.plugins import load_benchmark
from plumbline.schema import Setting

TRAINED, PASSED, RECOMPUTED = 6, 2, 2
#: Prompts and turns of evaluation sets that have no limit of their own.
SETS = {"alpaca_eval_2": (805, 1), "mt_bench": (80, 2)}


@dataclass(frozen=True)
class Work:
    """Operations in training and passes, and in writing answers token by token."""

    passed: float = 0.0
    written: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.passed + other.passed, self.written + other.written)

    def times(self, factor: float) -> Work:
        """The same work so many times."""
        return Work(self.passed * factor, self.written * factor)


def work(experiment: Experiment, job: Job) -> Work | None:
    """What a job computes, None where that is not known; see the module."""
    found = WORK.get(job.stage)
    return found(experiment, job) if found and job.setting else None


def _setting(experiment: Experiment, job: Job) -> Setting:
    return experiment.setting_at(job.setting.name)


def _pretrain(experiment: Experiment, job: Job) -> Work | None:
    return _language(_setting(experiment, job), "pretrain")


def _sft(experiment: Experiment, job: Job) -> Work | None:
    return _language(_setting(experiment, job), "sft")


def _language(setting: Setting, stage: str) -> Work | None:
    """Language modelling; a stage that the setting does not have costs nothing."""
    recipe, count, lengths = getattr(setting, stage), parameters(setting.model), tokens(setting)
    if recipe is None:
        return Work()
    if count is None or lengths is None:
        return None
    return Work(TRAINED * count * recipe.steps * recipe.batch * sum(lengths))


def epoch_tokens(experiment: Experiment, job: Job, feedback: str) -> float | None:
    """Tokens of one pass over the training rows of a feedback."""
    setting = _setting(experiment, job)
    rows, lengths = training_rows(setting, job.setting), tokens(setting)
    if rows is None or lengths is None:
        return None
    prompt, completion = lengths
    row = {
        "pairs": prompt + 2 * completion,
        "traceless": prompt + 2 * completion,
        "singles": 2 * (prompt + completion),
        "lists": prompt + setting.align.responses * completion,
    }
    return rows * row[feedback]


def _pass(experiment: Experiment, job: Job) -> Work | None:
    """One pass of the SFT model over the training rows."""
    count = parameters(_setting(experiment, job).model)
    row = epoch_tokens(experiment, job, job.names[1])
    return None if count is None or row is None else Work(PASSED * count * row)


def _auxiliary(experiment: Experiment, job: Job) -> Work | None:
    return _training(experiment, job, "pairs")


def _align(experiment: Experiment, job: Job) -> Work | None:
    """Training each run of a job; what is not trained here is a record."""
    if not experiment.is_trained(job.method):
        return Work()
    spec = experiment.method(job.method)
    one = _training(experiment, job, spec.feedback)
    return one and one.times(_views(spec.card.needs)).times(len(job.runs))


def _views(needs: tuple[str, ...]) -> int:
    """Passes over each training row: mismatched completions are passed, too."""
    return 2 if "mismatched" in needs else 1


def _training(experiment: Experiment, job: Job, feedback: str) -> Work | None:
    setting = _setting(experiment, job)
    count, row = parameters(setting.model), epoch_tokens(experiment, job, feedback)
    if count is None or row is None:
        return None
    again = RECOMPUTED if experiment.execution.gradient_checkpointing else 0
    return Work((TRAINED + again) * count * row * setting.align.epochs)


def _generate(experiment: Experiment, job: Job) -> Work | None:
    """Answers as long as they may be, to every prompt of the split's benchmarks."""
    setting = _setting(experiment, job)
    count, lengths = parameters(setting.model), tokens(setting)
    names = [
        name
        for name in experiment.benchmarks_on(job.split)
        if experiment.benchmark(name).needs == "responses"
    ]
    asked = [asked_of(experiment, name) for name in names]
    if count is None or lengths is None or None in asked:
        return None
    models = len(job.evaluations)
    answers = sum(prompts * turns for prompts, turns, _ in asked)
    written = sum(prompts * turns * longest for prompts, turns, longest in asked)
    return Work(PASSED * count * answers * lengths[0] * models, PASSED * count * written * models)


def asked_of(experiment: Experiment, benchmark: str) -> tuple[int, int, int] | None:
    """(prompts, turns, tokens that an answer may have) of a benchmark; None where nobody says."""
    options = defaults(experiment, benchmark) | experiment.options(benchmark)
    known, turns = SETS.get(benchmark, (None, 1))
    sizes = [size for size in (known, options.get("limit")) if size]
    longest = options.get("max_new_tokens")
    return (min(sizes), turns, longest) if sizes and longest else None


def defaults(experiment: Experiment, benchmark: str) -> dict[str, object]:
    """The defaults of what a benchmark's `prompts` may be told."""
    module = load_benchmark(experiment.benchmark(benchmark))
    given = inspect.signature(module.prompts).parameters.values()
    return {item.name: item.default for item in given if item.default is not item.empty}


WORK = {
    "pretrain": _pretrain,
    "sft": _sft,
    "reference": _pass,
    "embed": _pass,
    "annotate": _pass,
    "auxiliary": _auxiliary,
    "align": _align,
    "generate": _generate,
}
