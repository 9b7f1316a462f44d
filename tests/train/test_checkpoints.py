"""A run that is killed goes on where its newest whole checkpoint was, to the very same weights.

Runs are killed for real: a forked process sends itself SIGKILL, at random steps and in the midst
of writing a checkpoint.
"""

import os
import random
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_disk import small_disk

from plumbline import config
from plumbline.artifacts import read_json, read_rows, write_json
from plumbline.errors import IntegrityError, Stopped
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import together
from plumbline.plugins import method_spec
from plumbline.schema import Align, Batch, Execution, Pretrain
from plumbline.train import base, checkpoints
from plumbline.train.align import PreferenceTrainer, align
from plumbline.train.checkpoints import MARK, clear, newest
from plumbline.train.geometry import solve
from plumbline.train.language import LanguageTrainer, fit
from plumbline.train.objective import Objective
from plumbline.train.probe import Probe
from plumbline.train.reference import reference
from plumbline.train.run import Bench
from plumbline.train.trainer import Place

RECIPE = Align(
    learning_rate=0.01,
    warmup_steps=5,
    epochs=3,
    batch=Batch(pairs=8, singles=8, lists=8),
    log_every=3,
    probe_every=4,
)
STEPS = 12


def killed(work) -> int:
    """Do work in a forked process; returns the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def die_at(trainer: type, step: int, patch: pytest.MonkeyPatch) -> None:
    """Have the trainer kill its process before step `step` is done."""
    plain = trainer.compute_loss

    def compute_loss(self, *args, **options):
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(self, *args, **options)

    patch.setattr(trainer, "compute_loss", compute_loss)


@pytest.fixture
def run(policy, examples, tmp_path):
    """Align the tiny policy, with a checkpoint every two steps; returns what is left of the run."""

    def make(name: str = "dpo", folder: Path = tmp_path, made_from: dict | None = None):
        objective = Objective.of(method_spec(name), {"beta": 0.3})
        model, probe = policy(), Probe(examples("pairs", 3))
        place = Place(folder, 2, made_from or {"parts": 1})
        given = examples(objective.spec.feedback, 32)
        seen = Policy(model, together)
        found = align(seen, given, objective, RECIPE, solve(8, 4), 0, probe, place)
        weights = torch.cat([item.detach().flatten() for item in model.parameters()])
        return weights, found.dynamics.rows

    return make


@pytest.mark.parametrize("name", ["dpo", "kto", "power_dl"])
def test_killed_at_three_random_steps_and_the_same_to_the_bit(run, name, tmp_path):
    expected, log = run(name, tmp_path / "whole")
    for step in sorted(random.Random().sample(range(1, STEPS), 3)):
        with pytest.MonkeyPatch.context() as patch:
            die_at(PreferenceTrainer, step, patch)
            assert killed(lambda: run(name, tmp_path / "broken")) == signal.SIGKILL
        found = newest(tmp_path / "broken", {"parts": 1})
        assert (found and found.name) == (f"checkpoint-{step // 2 * 2}" if step > 1 else None)
    weights, rows = run(name, tmp_path / "broken")
    assert torch.equal(weights, expected)
    assert rows == log, "the log and the probe's reference went on, too"


def test_killed_while_writing_a_checkpoint(run, tmp_path, monkeypatch):
    """Everything is written but the mark: the checkpoint before it counts."""
    expected, log = run("dpo", tmp_path / "whole")
    plain = checkpoints.flush

    def flush(folder: Path) -> None:
        if folder.name == "checkpoint-6":
            os.kill(os.getpid(), signal.SIGKILL)
        plain(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "flush", flush)
        assert killed(lambda: run("dpo", tmp_path / "broken")) == signal.SIGKILL
    assert (tmp_path / "broken" / "checkpoint-6").is_dir()
    assert newest(tmp_path / "broken", {"parts": 1}).name == "checkpoint-4"
    weights, rows = run("dpo", tmp_path / "broken")
    assert torch.equal(weights, expected) and rows == log


def test_a_run_does_not_go_on_from_another_ones_checkpoint(run, tmp_path):
    expected, _ = run("dpo", tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        die_at(PreferenceTrainer, 7, patch)
        killed(lambda: run("nca", tmp_path / "broken", {"parts": "nca's"}))
    assert newest(tmp_path / "broken", {"parts": "nca's"})
    weights, _ = run("dpo", tmp_path / "broken", {"parts": "dpo's"})
    assert torch.equal(weights, expected)
    assert newest(tmp_path / "broken", {"parts": "nca's"}) is None, "foreign ones are removed"


def test_only_the_newest_is_kept(run, tmp_path):
    run("dpo", tmp_path)
    assert [item.name for item in tmp_path.glob("checkpoint-*")] == ["checkpoint-10"]


def test_language_modelling_goes_on_too(policy, tmp_path):
    texts = [
        ([2 + row % 5], [3 + (row + step) % 20 for step in range(1 + row % 6)]) for row in range(20)
    ]
    recipe = Pretrain(steps=9, batch=4, learning_rate=0.01, warmup_steps=2)

    def work(folder: str) -> torch.Tensor:
        model = policy()
        fit(model, texts, recipe, 0, Place(tmp_path / folder, 2, {}), Execution())
        return torch.cat([item.detach().flatten() for item in model.parameters()])

    expected = work("whole")
    with pytest.MonkeyPatch.context() as patch:
        die_at(LanguageTrainer, 5, patch)
        assert killed(lambda: work("broken")) == signal.SIGKILL
    assert newest(tmp_path / "broken", {}).name == "checkpoint-4"
    assert torch.equal(work("broken"), expected)


def kept(work: Path, step: int) -> Path:
    """A whole checkpoint."""
    folder = work / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"12345678")
    state = SimpleNamespace(is_world_process_zero=True, global_step=step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "clear", lambda *_, **__: None)
        checkpoints.Checkpoints(work, 2, {"parts": 1}).on_save(None, state, None)
    return folder


@pytest.mark.parametrize("file", ["model.safetensors", checkpoints.MEMORY, MARK])
def test_a_truncated_checkpoint_is_passed_over_for_an_older_one(tmp_path, file, capsys):
    older, newer = kept(tmp_path, 2), kept(tmp_path, 4)
    assert newest(tmp_path, {"parts": 1}) == newer and not capsys.readouterr().out
    os.truncate(newer / file, 1)
    assert newest(tmp_path, {"parts": 1}) == older
    assert f"{newer} is truncated" in capsys.readouterr().out
    (older / "model.safetensors").unlink()
    assert newest(tmp_path, {"parts": 1}) is None


def ask_to_end_at(trainer: type, step: int, patch: pytest.MonkeyPatch) -> None:
    """Have the trainer get SIGTERM before step `step` is done."""
    plain = trainer.compute_loss

    def compute_loss(self, *args, **options):
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, *args, **options)

    patch.setattr(trainer, "compute_loss", compute_loss)


def test_sigterm_keeps_the_step_it_came_in(run, tmp_path):
    """Between two checkpoints, which stand at 4 and 6: the one at 5 is SIGTERM's."""
    expected, log = run("dpo", tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        ask_to_end_at(PreferenceTrainer, 4, patch)
        with pytest.raises(Stopped, match="after step 5 of 12") as ended:
            run("dpo", tmp_path / "broken")
    assert ended.value.exit_code == 128 + signal.SIGTERM
    assert newest(tmp_path / "broken", {"parts": 1}).name == "checkpoint-5"
    weights, rows = run("dpo", tmp_path / "broken")
    assert torch.equal(weights, expected) and rows == log


def test_sigterm_in_the_last_step_comes_too_late(run, tmp_path):
    expected, log = run("dpo", tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        ask_to_end_at(PreferenceTrainer, STEPS - 1, patch)
        weights, rows = run("dpo", tmp_path / "broken")
    assert torch.equal(weights, expected) and rows == log


def test_clear_keeps_one_and_what_is_no_checkpoint(tmp_path):
    for name in ("checkpoint-2", "checkpoint-4", "adapter"):
        (tmp_path / name).mkdir()
    write_json(tmp_path / "checkpoint-4" / MARK, {"made_from": {}, "bytes": {}})
    clear(tmp_path, kept=newest(tmp_path, {}))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["adapter", "checkpoint-4"]


def test_a_whole_run_goes_on_after_a_kill(raw, setting, folders):
    """From the SFT model to the record: the same model, log and answers as without a kill."""
    experiment = config.parse(raw | {"execution": {"checkpoint_every": 1}})
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    reference(setting, folders, "pairs", Execution())
    one = folders.run("dpo", "beta=0.1", 0)

    def left() -> tuple:
        return read_json(one.record)["model"], read_rows(one.dynamics), read_rows(one.probes)

    def work() -> None:
        Bench(experiment, folders, "dpo").train(one)

    work()
    expected = left()
    one.record.unlink()
    with pytest.MonkeyPatch.context() as patch:
        die_at(PreferenceTrainer, 1, patch)
        assert killed(work) == signal.SIGKILL
    assert not one.record.exists() and list(one.work.glob(f"checkpoint-1/{MARK}"))
    work()
    assert left() == expected and not one.work.exists()


def test_a_full_disk_stops_a_run_that_can_go_on(run, tmp_path):
    """The checkpoint before it stays whole; with room again the run ends as if nothing had been."""
    expected, log = run("dpo", tmp_path / "whole")
    size = sum(item.stat().st_size for item in (tmp_path / "whole").rglob("*"))
    with small_disk(tmp_path / "disk", 3 * size // 2048) as folder:
        with pytest.raises(IntegrityError, match="disk is full"):
            run("dpo", folder)
        assert newest(folder, {"parts": 1}).name == "checkpoint-2"
        assert len(list(folder.glob("checkpoint-*"))) == 1, "what found no room is removed"
        shutil.copytree(folder, tmp_path / "larger")
    weights, rows = run("dpo", tmp_path / "larger")
    assert torch.equal(weights, expected) and rows == log
