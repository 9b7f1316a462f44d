"""Language modelling: pretraining from scratch and supervised fine-tuning, as one thin Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    get_cosine_with_min_lr_schedule_with_warmup,
)

from plumbline.artifacts import derive_seed
from plumbline.model.logprobs import Sequences, pack, token_logprobs
from plumbline.schema import Pretrain, Sft
from plumbline.train.order import epoch_order

#: (given tokens, predicted tokens) of one document or demonstration.
Text = tuple[Sequence[int], Sequence[int]]


class LanguageTrainer(Trainer):
    """Minimises the mean negative log-probability of the predicted tokens of a batch."""

    loss_is_scaled_for_ga = True

    def compute_loss(
        self, model: PreTrainedModel, inputs: dict[str, Sequences], **_: Any
    ) -> Tensor:
        sequences = inputs["sequences"].to(model.device)
        return -token_logprobs(model, sequences).sum() / sequences.lengths.sum()


def fit(
    model: PreTrainedModel, texts: Sequence[Text], recipe: Pretrain | Sft, seed: int, work: Path
) -> list[dict[str, float]]:
    """Train `model` in place; returns the Trainer's log.

    AdamW (0.9, 0.98), weight decay 0.01, gradient norm clipped at 1, linear warm-up, then cosine
    decay to a tenth of the learning rate.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = get_cosine_with_min_lr_schedule_with_warmup(
        optimizer, recipe.warmup_steps, recipe.steps, min_lr_rate=0.1
    )
    trainer = LanguageTrainer(
        model=model,
        args=arguments(work, seed, recipe.batch, recipe.steps, max_grad_norm=1.0, log_every=50),
        train_dataset=_in_order(texts, recipe, seed),
        data_collator=lambda texts: {"sequences": pack(*zip(*texts, strict=True))},
        optimizers=(optimizer, schedule),
    )
    trainer.train()
    return trainer.state.log_history


def _in_order(texts: Sequence[Text], recipe: Pretrain | Sft, seed: int) -> list[Text]:
    """As many shuffled epochs as the steps need."""
    lengths = [len(given) + len(predicted) for given, predicted in texts]
    batch = min(recipe.batch, len(texts))
    epochs = (epoch_order(lengths, batch, derive_seed("order", seed, epoch)) for epoch in count())
    endless = (index for epoch in epochs for index in epoch)
    return [texts[index] for index in islice(endless, recipe.steps * recipe.batch)]


def arguments(
    work: Path,
    seed: int,
    batch: int,
    steps: int,
    *,
    max_grad_norm: float,
    log_every: int,
    accumulate: int = 1,
) -> TrainingArguments:
    """Trainer settings with nothing left to its defaults that could change a number.

    seed: of the noise that a model with dropout draws; the order of the data has its own.
    """
    return TrainingArguments(
        output_dir=str(work),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulate,
        max_grad_norm=max_grad_norm,
        train_sampling_strategy="sequential",
        dataloader_drop_last=True,
        remove_unused_columns=False,
        logging_steps=log_every,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        bf16=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
