"""Stage generate."""

from pathlib import Path

from plumbline import ENGINE, config
from plumbline.artifacts import derive_seed, is_current, write_json, write_rows
from plumbline.config import Experiment
from plumbline.generate import answer
from plumbline.layout import SettingFolder
from plumbline.model.canary import canary
from plumbline.model.folder import load
from plumbline.prompts import prompts_of
from plumbline.rows import RESPONSE
from plumbline.targets import Target, targets

#: What the assistant says in a benchmark's canary conversation: the first prompt's is rendered.
CANARY = "hello ."


def run(experiment: Path, split: str, paths: list[Path]) -> None:
    """Answer every benchmark that reads responses, for every model of the job."""
    chosen = config.read(experiment)
    names = [name for name in chosen.benchmarks_on(split) if needs_responses(chosen, name)]
    for target in targets(chosen, split, paths):
        print(target.evaluation.folder, flush=True)
        respond(chosen, split, target, names)


def needs_responses(experiment: Experiment, benchmark: str) -> bool:
    """Whether a benchmark reads responses rather than the model."""
    return experiment.benchmark(benchmark).needs == "responses"


def respond(experiment: Experiment, split: str, target: Target, names: list[str]) -> None:
    """Write the answers that are not current; a diverged run has none."""
    record = target.record
    setting = experiment.setting_at(target.setting)
    loaded = None
    for name in names:
        path = target.evaluation.responses(name)
        spec = experiment.benchmark(name)
        made_from = {
            "engine": ENGINE,
            "model": record["model"],
            "benchmark": spec.digest,
            "options": spec.options_for("prompts", experiment.options(name)),
            "seed": target.seed,
        }
        if is_current(path, made_from):
            continue
        rows = []
        if record["status"] == "ok":
            loaded = loaded or load(target.model_folder)
            folders = SettingFolder(target.setting)
            asked = prompts_of(experiment, name, setting, folders, split)
            proof = canary(loaded[1], asked[0]["prompt"], CANARY)
            write_json(target.evaluation.canary(name), proof)
            rows = answer(*loaded, asked, derive_seed("answers", target.seed))
        write_rows(path, rows, RESPONSE, made_from)
