"""Language modelling: pretraining from scratch and supervised fine-tuning, as one thin Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, get_cosine_with_min_lr_schedule_with_warmup

from plumbline.artifacts import derive_seed
from plumbline.model.logprobs import Policy, of_model
from plumbline.model.sequences import Sequences, pack
from plumbline.schema import Execution, Pretrain, Sft
from plumbline.train.geometry import choose
from plumbline.train.order import epoch_order
from plumbline.train.trainer import (
    MicroBatchTrainer,
    Place,
    arguments,
    gathered,
    resume,
    take,
)

#: (given tokens, predicted tokens) of one document or demonstration.
Text = tuple[Sequence[int], Sequence[int]]


class LanguageTrainer(MicroBatchTrainer):
    """Minimises the mean negative log-probability of the predicted tokens of a global batch."""

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], None]:
        """Micro-batches with the number of tokens that the whole batch predicts."""
        parts = take(epoch_iterator, num_batches)
        tokens = torch.tensor(sum(len(predicted) for part in parts for _, predicted in part))
        tokens = self.accelerator.reduce(tokens.to(device), "sum")
        rows = [pack([(given, (predicted,)) for given, predicted in part]) for part in parts]
        return [{"sequences": row.to(device), "tokens": tokens} for row in rows], None

    def compute_loss(self, model: Policy, inputs: dict[str, Any], **_: Any) -> Tensor:
        """This micro-batch's part of the mean; processes are averaged, hence times their number."""
        sequences: Sequences = inputs["sequences"]
        return -model(sequences).sum() / inputs["tokens"] * self.geometry.world


@dataclass(frozen=True)
class Fitted:
    """What language modelling leaves: the Trainer's log and, of several processes, the weights of
    them all, in the first one."""

    log: list[dict[str, float]]
    weights: dict[str, Tensor] | None


def fit(
    model: PreTrainedModel,
    texts: Sequence[Text],
    recipe: Pretrain | Sft,
    seed: int,
    place: Place,
    execution: Execution,
) -> Fitted:
    """Train `model` in place, from its newest checkpoint on.

    AdamW (0.9, 0.98), weight decay 0.01, gradient norm clipped at 1, linear warm-up, then cosine
    decay to a tenth of the learning rate.
    """
    policy = Policy(model, precision=recipe.precision)
    longest = max(texts, key=lambda text: len(text[0]) + len(text[1]))
    geometry = choose(policy, (longest[0], (longest[1],)), recipe.batch, execution)
    trainer = LanguageTrainer(
        geometry=geometry,
        model=policy,
        args=arguments(place.folder, seed, geometry, recipe.steps, max_grad_norm=1.0, log_every=50),
        train_dataset=geometry.share(in_order(texts, recipe, seed)),
        optimizer=partial(
            torch.optim.AdamW, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        ),
        schedule=partial(
            get_cosine_with_min_lr_schedule_with_warmup,
            num_warmup_steps=recipe.warmup_steps,
            num_training_steps=recipe.steps,
            min_lr_rate=0.1,
        ),
    )
    resume(trainer, place)
    return Fitted(trainer.state.log_history, of_model(gathered(trainer)))


def in_order(texts: Sequence[Text], recipe: Pretrain | Sft, seed: int) -> list[Text]:
    """As many shuffled epochs as the steps need."""
    lengths = [len(given) + len(predicted) for given, predicted in texts]
    batch = min(recipe.batch, len(texts))
    epochs = (epoch_order(lengths, batch, derive_seed("order", seed, epoch)) for epoch in count())
    endless = (index for epoch in epochs for index in epoch)
    return [texts[index] for index in islice(endless, recipe.steps * recipe.batch)]
