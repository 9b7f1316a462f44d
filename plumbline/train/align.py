"""Alignment: a thin Trainer that back-propagates an objective's coefficients.

For each global batch the loss is differentiated with respect to log-probabilities only; each
micro-batch then back-propagates sum(coefficient * log-probability), whose gradient is exactly that
of the mean loss, also for methods that couple the examples of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import TrainerCallback, get_constant_schedule_with_warmup

from plumbline.artifacts import derive_seed
from plumbline.errors import DataError
from plumbline.model.logprobs import Policy, of_model
from plumbline.schema import Align
from plumbline.train.checkpoints import memory
from plumbline.train.examples import Example
from plumbline.train.geometry import Geometry
from plumbline.train.objective import Inputs, Objective, batch_metrics, collate
from plumbline.train.order import epoch_order
from plumbline.train.probe import Probe
from plumbline.train.trainer import (
    MicroBatchTrainer,
    NotFinite,
    Place,
    arguments,
    gathered,
    resume,
    take,
)


@dataclass
class Dynamics:
    """The training log in long form; see `rows.DYNAMICS`."""

    batch: int
    rows: list[dict[str, Any]] = field(default_factory=list)

    def record(self, step: int, split: str, metrics: dict[str, float]) -> None:
        """Add one row per metric, after `step` optimizer steps."""
        base = {"step": step, "examples": step * self.batch, "split": split}
        self.rows += [base | {"metric": name, "value": value} for name, value in metrics.items()]


@dataclass(frozen=True)
class Aligned:
    """What a run leaves: its dynamics and, of several processes, the weights of them all, in the
    first one; None are the policy's own."""

    dynamics: Dynamics
    weights: dict[str, Tensor] | None


class Divergence(Exception):
    """A loss, gradient or weight is not finite: a result of the method, not a failure.

    It tells after how many steps, on which examples, and the dynamics up to there.
    """

    def __init__(self, step: int, examples: Sequence[str], dynamics: Dynamics) -> None:
        super().__init__(f"not finite at step {step}")
        self.step = step
        self.examples = list(examples)
        self.dynamics = dynamics


class PreferenceTrainer(MicroBatchTrainer):
    """Trains on `Example`s; see the module's docstring."""

    def __init__(
        self,
        *,
        objective: Objective,
        examples: Sequence[Example],
        dynamics: Dynamics,
        geometry: Geometry,
        **options: Any,
    ) -> None:
        super().__init__(geometry=geometry, train_dataset=geometry.share(examples), **options)
        self.objective, self.examples, self.dynamics = objective, examples, dynamics
        self.seen: list[tuple[Tensor, Tensor]] = []
        #: By id, the labels of examples that were trained on, for a method that needs them.
        self.labels: dict[str, float] = {}
        self.relabelled: list[Tensor] = []

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], None]:
        """This process's micro-batches of one global batch; coupled ones with coefficients."""
        parts = take(epoch_iterator, num_batches)
        batches = [{"inputs": self._collate(rows).to(device)} for rows in parts]
        parted = len(batches) * self.geometry.world > 1
        if self.objective.spec.card.coupled and parted:
            self._couple(batches)
        batches[-1]["last"] = True
        return batches, None

    def _collate(self, examples: Sequence[Example]) -> Inputs:
        if self.objective.relabel:
            examples = [replace(item, label=self.labels.get(item.id, 1.0)) for item in examples]
        return collate(examples, self.accelerator.unwrap_model(self.model).pack)

    def _whole(self) -> Inputs:
        """The global batch of the step, in the order in which `_gather` puts processes."""
        rows = self.geometry.global_batch(self.examples, self.state.global_step)
        return self._collate(rows).to(self.args.device)

    def _gather(self, parts: Sequence[Tensor]) -> Tensor:
        """Micro-batches of all processes one below another, padded with zeros to the widest."""
        stacked = self.accelerator.pad_across_processes(_stack(parts), dim=-1)
        return self.accelerator.gather(stacked)

    @torch.no_grad()
    def _couple(self, batches: list[dict[str, Any]]) -> None:
        """Differentiate the loss of the whole batch once and hand each micro-batch its share."""
        parts = [self.objective.forward(self.model, item["inputs"]) for item in batches]
        others = [self.objective.mismatched(self.model, item["inputs"]) for item in batches]
        mismatched = None if others[0] is None else self._gather(others)
        with torch.enable_grad():
            losses, gradient = self._differentiate(self._gather(parts), mismatched, self._whole())
        world, rank = self.geometry.world, self.geometry.rank
        counts = [len(item["inputs"].ids) for item in batches]
        shares = gradient.chunk(world)[rank].split([len(part) for part in parts])
        own = losses.chunk(world)[rank].split(counts)
        for item, part, share, values in zip(batches, parts, shares, own, strict=True):
            item["gradient"], item["losses"] = share[..., : part.shape[-1]], values

    def compute_loss(self, model: Policy, inputs: dict[str, Any], **_: Any) -> Tensor:
        """This micro-batch's part of the mean loss, with that part's gradient.

        Processes are averaged afterwards, hence the gradient times their number.
        """
        batch: Inputs = inputs["inputs"]
        tokens = self.objective.forward(model, batch)
        if "gradient" in inputs:
            losses, gradient = inputs["losses"], inputs["gradient"]
        else:
            mismatched = self.objective.mismatched(model, batch)
            losses, gradient = self._differentiate(tokens, mismatched, batch)
        self._record(losses, tokens[:, 0].detach(), last="last" in inputs)
        if self.objective.relabel:
            self._relabel(self.objective.relabelled(tokens, batch), last="last" in inputs)
        surrogate = (gradient * tokens).sum() * self.geometry.world
        return surrogate + (losses.sum() / self.geometry.batch - surrogate).detach()

    def _differentiate(
        self, tokens: Tensor, mismatched: Tensor | None, batch: Inputs
    ) -> tuple[Tensor, Tensor]:
        losses, gradient = self.objective.coefficients(
            tokens, batch, mismatched, self.geometry.batch
        )
        alone = self.geometry.world == 1
        if alone and not (losses.isfinite().all() and gradient.isfinite().all()):
            raise Divergence(self.state.global_step, batch.ids, self.dynamics)
        # Of several processes none may leave alone: all see the averaged gradient.
        spoiled = torch.where(losses.isfinite().all(), 0.0, torch.nan)
        return losses, gradient if alone else gradient + spoiled

    def _record(self, losses: Tensor, tokens: Tensor, last: bool) -> None:
        """Log a global batch, once the last of its micro-batches is in."""
        step = self.state.global_step
        if step % self.args.logging_steps:
            return
        self.seen.append((losses[:, None], tokens))
        if last:
            losses, tokens = (self._gather(parts) for parts in zip(*self.seen, strict=True))
            self.seen = []
            metrics = batch_metrics(losses[:, 0], tokens, self._whole())
            self.dynamics.record(step, "train", metrics)

    def _relabel(self, labels: Tensor, last: bool) -> None:
        """Keep the labels of a global batch, in every process, once its last micro-batch is in."""
        self.relabelled.append(labels[:, None])
        if last:
            found = self._gather(self.relabelled)[:, 0].tolist()
            self.relabelled = []
            rows = self.geometry.global_batch(self.examples, self.state.global_step)
            self.labels |= {item.id: label for item, label in zip(rows, found, strict=True)}

    def log(self, logs: dict[str, float], *args: Any, **options: Any) -> None:
        """Keep the Trainer's own gradient norm and learning rate beside the batch's metrics."""
        super().log(logs, *args, **options)
        if "grad_norm" in logs:
            kept = {"gradient_norm": logs["grad_norm"], "learning_rate": logs["learning_rate"]}
            self.dynamics.record(self.state.global_step, "train", kept)


class Probing(TrainerCallback):
    """Probes the policy before the first step, every `every` steps, and after the last."""

    def __init__(self, probe: Probe, dynamics: Dynamics, every: int) -> None:
        self.probe, self.dynamics, self.every = probe, dynamics, every

    def on_step_begin(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        if state.global_step % self.every == 0:
            self._run(state.global_step, model)

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        self._run(state.global_step, model)

    def _run(self, step: int, policy: Policy) -> None:
        self.dynamics.record(step, "probe", self.probe.measure(policy, step))


def align(
    policy: Policy,
    examples: Sequence[Example],
    objective: Objective,
    recipe: Align,
    geometry: Geometry,
    seed: int,
    probe: Probe,
    place: Place,
) -> Aligned:
    """Align `policy` in place on one or more epochs of `examples`.

    A run that was interrupted goes on from its newest checkpoint. Raises Divergence (with the step
    and the batch's example ids) where anything is not finite, and DataError where the data are
    fewer than one global batch.
    """
    ordered = _epochs(examples, geometry.batch, recipe.epochs, seed)
    dynamics = Dynamics(geometry.batch)
    trainer = PreferenceTrainer(
        model=policy,
        args=arguments(
            place.folder,
            derive_seed("dropout", seed),
            geometry,
            len(ordered) // geometry.batch,
            max_grad_norm=recipe.max_grad_norm,
            log_every=recipe.log_every,
        ),
        optimizer=partial(torch.optim.RMSprop, lr=recipe.learning_rate),
        schedule=partial(get_constant_schedule_with_warmup, num_warmup_steps=recipe.warmup_steps),
        callbacks=[Probing(probe, dynamics, recipe.probe_every)],
        objective=objective,
        examples=ordered,
        dynamics=dynamics,
        geometry=geometry,
    )
    if found := place.checkpoint():
        kept = memory(found)
        dynamics.rows = kept["dynamics"]
        probe.restore(kept["probe"])
        trainer.labels = kept.get("labels", {})
    _train(trainer, place, lambda: _memory(trainer, probe))
    return Aligned(dynamics, of_model(gathered(trainer)))


def _memory(trainer: PreferenceTrainer, probe: Probe) -> dict[str, Any]:
    """What a checkpoint keeps besides the Trainer's state."""
    return {
        "dynamics": trainer.dynamics.rows,
        "probe": probe.state(),
        "labels": trainer.labels,
    }


def _train(trainer: PreferenceTrainer, place: Place, remember: Callable[[], Any]) -> None:
    dynamics = trainer.dynamics
    try:
        resume(trainer, place, remember)
    except NotFinite as error:
        step = trainer.state.global_step
        rows = trainer.geometry.global_batch(trainer.examples, step)
        raise Divergence(step, [item.id for item in rows], dynamics) from error
    if not all(item.isfinite().all() for item in trainer.model.parameters()):
        raise Divergence(trainer.state.global_step, [], dynamics)


def _epochs(examples: Sequence[Example], batch: int, epochs: int, seed: int) -> list[Example]:
    if len(examples) < batch:
        raise DataError(
            f"{len(examples)} training examples are fewer than one global batch of {batch}; "
            "lower align.batch or give more data"
        )
    lengths = [example.length for example in examples]
    orders = (
        epoch_order(lengths, batch, derive_seed("order", seed, epoch)) for epoch in range(epochs)
    )
    return [examples[index] for order in orders for index in order]


def _stack(parts: Sequence[Tensor]) -> Tensor:
    """Blocks of rows [R, ..., T] one below another, padded with zeros to the widest."""
    width = max(part.shape[-1] for part in parts)
    return torch.cat([pad(part, (0, width - part.shape[-1])) for part in parts])
