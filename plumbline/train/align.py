"""Alignment: a thin `transformers.Trainer` that back-propagates an objective's coefficients.

For each global batch the loss is differentiated with respect to log-probabilities only; each
micro-batch then back-propagates sum(coefficient * log-probability), whose gradient is exactly that
of the mean loss, also for methods that couple the examples of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    get_constant_schedule_with_warmup,
)

from plumbline.artifacts import derive_seed
from plumbline.errors import ConfigError, DataError
from plumbline.schema import Align
from plumbline.train.examples import Example
from plumbline.train.language import arguments
from plumbline.train.objective import Inputs, Objective, batch_metrics, collate
from plumbline.train.order import epoch_order
from plumbline.train.probe import Probe


@dataclass
class Dynamics:
    """The training log in long form; see `rows.DYNAMICS`."""

    batch: int
    rows: list[dict[str, Any]] = field(default_factory=list)

    def record(self, step: int, split: str, metrics: dict[str, float]) -> None:
        """Add one row per metric, after `step` optimizer steps."""
        base = {"step": step, "examples": step * self.batch, "split": split}
        self.rows += [base | {"metric": name, "value": value} for name, value in metrics.items()]


class Divergence(Exception):
    """A loss, gradient or weight is not finite: a result of the method, not a failure.

    It tells after how many steps, on which examples, and the dynamics up to there.
    """

    def __init__(self, step: int, examples: Sequence[str], dynamics: Dynamics) -> None:
        super().__init__(f"not finite at step {step}")
        self.step = step
        self.examples = list(examples)
        self.dynamics = dynamics


class PreferenceTrainer(Trainer):
    """Trains on `Example`s; see the module's docstring."""

    loss_is_scaled_for_ga = True

    def __init__(self, *, objective: Objective, dynamics: Dynamics, **options: Any) -> None:
        super().__init__(**options)
        self.objective = objective
        self.dynamics = dynamics
        self.seen: list[tuple[Tensor, Tensor]] = []

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], None]:
        """The micro-batches of one global batch; coupled ones already with their coefficients.

        The last one also carries the whole batch, for the log.
        """
        examples = [item["examples"] for item in _take(epoch_iterator, num_batches)]
        batches = [{"inputs": collate(rows).to(device)} for rows in examples]
        whole = batches[0]["inputs"]
        if len(batches) > 1:
            whole = collate([row for rows in examples for row in rows]).to(device)
        if self.objective.spec.card.coupled and len(batches) > 1:
            self._couple(batches, whole)
        batches[-1]["whole"] = whole
        return batches, None

    @torch.no_grad()
    def _couple(self, batches: list[dict[str, Any]], whole: Inputs) -> None:
        """Differentiate the loss of the whole batch once and hand each micro-batch its share."""
        parts = [self.objective.forward(self.model, item["inputs"]) for item in batches]
        others = [self.objective.mismatched(self.model, item["inputs"]) for item in batches]
        mismatched = None if others[0] is None else _stack(others)
        with torch.enable_grad():
            losses, gradient = self._differentiate(_stack(parts), mismatched, whole)
        counts = [len(item["inputs"].ids) for item in batches]
        shares = gradient.split([len(part) for part in parts])
        for item, part, share, own in zip(
            batches, parts, shares, losses.split(counts), strict=True
        ):
            item["gradient"] = share[:, : part.shape[1]]
            item["losses"] = own

    def compute_loss(self, model: PreTrainedModel, inputs: dict[str, Any], **_: Any) -> Tensor:
        """This micro-batch's part of the mean loss, with that part's gradient."""
        batch: Inputs = inputs["inputs"]
        tokens = self.objective.forward(model, batch)
        if "gradient" in inputs:
            losses, gradient = inputs["losses"], inputs["gradient"]
        else:
            mismatched = self.objective.mismatched(self.model, batch)
            losses, gradient = self._differentiate(tokens, mismatched, batch)
        self.seen.append((losses, tokens.detach()))
        if "whole" in inputs:
            self._record(inputs["whole"])
        surrogate = (gradient * tokens).sum()
        return surrogate + (losses.sum() / self.dynamics.batch - surrogate).detach()

    def _differentiate(
        self, tokens: Tensor, mismatched: Tensor | None, batch: Inputs
    ) -> tuple[Tensor, Tensor]:
        losses, gradient = self.objective.coefficients(
            tokens, batch, mismatched, self.dynamics.batch
        )
        if not (losses.isfinite().all() and gradient.isfinite().all()):
            raise Divergence(self.state.global_step, batch.ids, self.dynamics)
        return losses, gradient

    def _record(self, whole: Inputs) -> None:
        """Log a global batch, once the last of its micro-batches is in."""
        losses, tokens = zip(*self.seen, strict=True)
        self.seen = []
        step = self.state.global_step
        if step % self.args.logging_steps == 0:
            metrics = batch_metrics(torch.cat(losses), _stack(tokens), whole)
            self.dynamics.record(step, "train", metrics)

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

    def _run(self, step: int, model: PreTrainedModel) -> None:
        self.dynamics.record(step, "probe", self.probe.measure(model, step))


def align(
    model: PreTrainedModel,
    examples: Sequence[Example],
    objective: Objective,
    recipe: Align,
    seed: int,
    probe: Probe,
    work: Path,
) -> Dynamics:
    """Align `model` in place on one or more epochs of `examples`; returns the dynamics.

    Raises Divergence (with the step and the batch's example ids) where anything is not finite,
    and DataError where the data are fewer than one global batch.
    """
    batch = getattr(recipe.batch, objective.spec.feedback)
    ordered = _epochs(examples, batch, recipe.epochs, seed)
    micro = recipe.micro_batch or batch
    if batch % micro:
        raise ConfigError(f"align.micro_batch: {micro} does not divide the global batch of {batch}")
    dynamics = Dynamics(batch)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=recipe.learning_rate)
    trainer = PreferenceTrainer(
        model=model,
        args=arguments(
            work,
            derive_seed("dropout", seed),
            micro,
            len(ordered) // batch,
            max_grad_norm=recipe.max_grad_norm,
            log_every=recipe.log_every,
            accumulate=batch // micro,
        ),
        train_dataset=ordered,
        data_collator=lambda rows: {"examples": rows},
        optimizers=(optimizer, get_constant_schedule_with_warmup(optimizer, recipe.warmup_steps)),
        callbacks=[Probing(probe, dynamics, recipe.probe_every)],
        objective=objective,
        dynamics=dynamics,
    )
    trainer.train()
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise Divergence(trainer.state.global_step, [], dynamics)
    return dynamics


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


def _take(iterator: Iterator, count: int) -> list[Any]:
    return [item for _, item in zip(range(count), iterator, strict=False)]


def _stack(parts: Sequence[Tensor]) -> Tensor:
    """Blocks of rows [R, T] one below another, padded with zeros to the widest."""
    width = max(part.shape[1] for part in parts)
    return torch.cat([pad(part, (0, width - part.shape[1])) for part in parts])
