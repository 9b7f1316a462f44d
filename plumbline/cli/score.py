"""Stage score."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import config, keep, layout
from plumbline.again import making, remember
from plumbline.config import Experiment
from plumbline.contracts import Judge
from plumbline.locks import lock
from plumbline.score import score, score_probes
from plumbline.targets import Target, targets


def run(experiment: Path, split: str, paths: list[Path], threads: int) -> None:
    """Score every benchmark of the split for every model of the job, one benchmark at a time."""
    chosen = config.read(experiment)
    names = chosen.benchmarks_on(split)
    models = list(targets(chosen, split, paths))
    if any(chosen.benchmark(name).needs == "model" for name in names):
        import torch

        torch.set_num_threads(threads)
    probed = probed_by(chosen, models) if split == "validation" else []
    rows = [target.evaluation.rows(name) for name in names for target in models]
    with judge_for(chosen, names + probed) as judge, making(rows):
        for name in names:
            for target in models:
                with lock(target.evaluation.scored(name)):
                    status = score(chosen, name, split, target, judge)
                remember(target.evaluation.rows(name))
                print(f"{name} {target.evaluation.folder}: {status}", flush=True)
        if split == "validation":
            score_all_probes(chosen, models, judge)
    if split == "test":
        keep.remove_models(keep.tested(chosen, models))


def probed_by(chosen: Experiment, models: list[Target]) -> list[str]:
    """The benchmarks whose prompts these models answered while they were trained."""
    recipes = [chosen.setting_at(target.setting).align for target in models]
    return [recipe.probe_benchmark for recipe in recipes if recipe.probe_benchmark]


def score_all_probes(chosen: Experiment, models: list[Target], judge: Judge | None) -> None:
    """Score the answers given while training, where the recipe asked for them."""
    for target in models:
        name = chosen.setting_at(target.setting).align.probe_benchmark
        if name and target.run.probes.is_file():
            score_probes(chosen, name, target.run, judge)


@contextmanager
def judge_for(experiment: Experiment, benchmarks: list[str]) -> Iterator[Judge | None]:
    """The experiment's judge, served while any of the benchmarks asks one."""
    if not any(experiment.benchmark(name).card.judged for name in benchmarks):
        yield None
        return
    from plumbline.judge.gateway import judge

    with judge(experiment.judge, layout.ledger()) as served:
        yield served
