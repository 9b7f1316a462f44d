"""Language modelling: pretraining from scratch and supervised fine-tuning, as one thin Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, get_cosine_with_min_lr_schedule_with_warmup

from plumbline.artifacts import derive_seed
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import Sequences, pack
from plumbline.schema import Pretrain, Sft
from plumbline.train.geometry import solve
from plumbline.train.order import epoch_order
from plumbline.train.trainer import MicroBatchTrainer, Place, arguments, take

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


def fit(
    model: PreTrainedModel,
    texts: Sequence[Text],
    recipe: Pretrain | Sft,
    seed: int,
    place: Place,
    micro_batch: int | None = None,
) -> list[dict[str, float]]:
    """Train `model` in place, from its newest checkpoint on; returns the Trainer's log.

    AdamW (0.9, 0.98), weight decay 0.01, gradient norm clipped at 1, linear warm-up, then cosine
    decay to a tenth of the learning rate.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = get_cosine_with_min_lr_schedule_with_warmup(
        optimizer, recipe.warmup_steps, recipe.steps, min_lr_rate=0.1
    )
    geometry = solve(recipe.batch, micro_batch)
    trainer = LanguageTrainer(
        geometry=geometry,
        model=Policy(model),
        args=arguments(place.folder, seed, geometry, recipe.steps, max_grad_norm=1.0, log_every=50),
        train_dataset=geometry.share(_in_order(texts, recipe, seed)),
        optimizers=(optimizer, schedule),
    )
    trainer.resume(place)
    return trainer.state.log_history


def _in_order(texts: Sequence[Text], recipe: Pretrain | Sft, seed: int) -> list[Text]:
    """As many shuffled epochs as the steps need."""
    lengths = [len(given) + len(predicted) for given, predicted in texts]
    batch = min(recipe.batch, len(texts))
    epochs = (epoch_order(lengths, batch, derive_seed("order", seed, epoch)) for epoch in count())
    endless = (index for epoch in epochs for index in epoch)
    return [texts[index] for index in islice(endless, recipe.steps * recipe.batch)]
