"""What pretraining, fine-tuning and alignment share: one thin Trainer over micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_model
from torch import Tensor
from torch.nn import Module, Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from plumbline.artifacts import room_for
from plumbline.errors import IntegrityError
from plumbline.train.checkpoints import Checkpoints, clear, newest
from plumbline.train.geometry import Geometry
from plumbline.train.stopping import ended, stopping


@dataclass(frozen=True)
class Place:
    """Where a run keeps unfinished work, and when.

    folder: of checkpoints. every: steps between them. made_from: what a checkpoint must have been
    made from, for the run to go on from it.
    """

    folder: Path
    every: int
    made_from: Mapping[str, Any]

    def checkpoint(self) -> Path | None:
        """Where to go on from; None is the start."""
        return newest(self.folder, self.made_from)


class NotFinite(Exception):
    """A gradient that is not a number, before it could reach the weights."""


class MicroBatchTrainer(Trainer):
    """Trains on this process's micro-batches of a geometry, in the order given. A subclass's
    compute_loss gives each micro-batch's part of the global batch's loss, already divided."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        geometry: Geometry,
        optimizer: Callable[[list[Parameter]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.geometry, self.make_optimizer, self.make_schedule = geometry, optimizer, schedule
        self.add_callback(Finite())

    def create_optimizer(self, model: Module | None = None) -> Optimizer:
        """Of the weights that are trained, as they lie once processes have shared them out."""
        weights = [item for item in (model or self.model).parameters() if item.requires_grad]
        self.optimizer = self.make_optimizer(weights)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: Optimizer | None = None
    ) -> LRScheduler:
        """The recipe's; it knows its own length."""
        self.lr_scheduler = self.make_schedule(optimizer or self.optimizer)
        return self.lr_scheduler

    def get_train_dataloader(self) -> DataLoader:
        """The micro-batches as they are: nobody shuffles, splits or repeats them."""
        return DataLoader(self.train_dataset, batch_size=1, collate_fn=_only)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Weights that share memory are saved once, as transformers does for its own models."""
        if self.is_fsdp_enabled:
            super().save_model(output_dir, _internal_call)
        elif self.args.should_save:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            save_model(self.model, str(Path(output_dir) / "model.safetensors"))


def resume(trainer: Trainer, place: Place, remember: Callable[[], Any] = dict) -> None:
    """Train from the newest checkpoint of `place`, or from the start, keeping checkpoints.

    remember: see `Checkpoints`. Raises IntegrityError where the disk is full; the checkpoint that
    found no room is removed. Raises Stopped where SIGTERM ended it before the last step.
    """
    wait = trainer.accelerator.wait_for_everyone
    found = place.checkpoint()
    if trainer.args.should_save:
        clear(place.folder, kept=found)
    wait()
    try:
        with room_for(place.folder), stopping(trainer.accelerator.num_processes == 1) as stop:
            trainer.add_callback(
                Checkpoints(place.folder, place.every, place.made_from, remember, wait, stop)
            )
            trainer.train(resume_from_checkpoint=found and str(found))
    except IntegrityError:
        clear(place.folder, kept=place.checkpoint())
        raise
    ended(stop, trainer.state.global_step, trainer.state.max_steps)


def gathered(trainer: Trainer) -> dict[str, Tensor] | None:
    """The weights of several processes, in the first one, and nothing in the others where they
    were shared out; None of a single process, whose model has them."""
    if trainer.accelerator.num_processes == 1:
        return None
    return trainer.accelerator.get_state_dict(trainer.model_wrapped)


class Finite(TrainerCallback):
    """Raises NotFinite before a gradient that is not finite reaches the weights."""

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any, **_: Any
    ) -> None:
        gradients = [item.grad for item in model.parameters() if item.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not getattr(norm, "full_tensor", lambda: norm)().isfinite():
            raise NotFinite


def _only(items: list[Any]) -> Any:
    (item,) = items
    return item


def take(iterator: Iterator, count: int) -> list[Any]:
    """The next `count` items."""
    return [item for _, item in zip(range(count), iterator, strict=False)]


def arguments(
    work: Path, seed: int, geometry: Geometry, steps: int, *, max_grad_norm: float, log_every: int
) -> TrainingArguments:
    """Trainer settings with nothing left to its defaults that could change a number.

    seed: of the noise that a model with dropout draws; the order of the data has its own.
    """
    return TrainingArguments(
        output_dir=str(work),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=geometry.micro,
        gradient_accumulation_steps=geometry.accumulate,
        max_grad_norm=max_grad_norm,
        remove_unused_columns=False,
        logging_steps=log_every,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
    )
