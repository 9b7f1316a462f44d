"""Stage score."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plumbline import config, keep
from plumbline.config import Experiment
from plumbline.contracts import Judge
from plumbline.score import score, score_probes
from plumbline.targets import targets


def run(experiment: Path, split: str, paths: list[Path], threads: int) -> None:
    """Score every benchmark of the split for every model of the job, one benchmark at a time."""
    chosen = config.read(experiment)
    names = chosen.benchmarks_on(split)
    models = list(targets(chosen, split, paths))
    if any(chosen.benchmark(name).needs == "model" for name in names):
        import torch

        torch.set_num_threads(threads)
    with judge_for(chosen, names) as judge:
        for name in names:
            for target in models:
                status = score(chosen, name, split, target, judge)
                print(f"{name} {target.evaluation.folder}: {status}", flush=True)
        if split == "validation":
            score_all_probes(chosen, models, judge)
    if split == "test":
        keep.remove_models(keep.tested(chosen, models))


def score_all_probes(chosen: Experiment, models: list, judge: Judge | None) -> None:
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
    from plumbline.judge import answerer
    from plumbline.judge.endpoint import serve

    with serve(answerer(experiment.judge.name)) as judge:
        yield judge
