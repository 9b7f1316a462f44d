"""Supervised fine-tuning by TRL's SFTTrainer, as most models of the field were made.

It takes and gives what `language.fit` does, and differs in one thing: biases and norms are spared
the weight decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from plumbline.schema import Execution, Sft
from plumbline.train.geometry import solve
from plumbline.train.language import Fitted, Text, in_order
from plumbline.train.trainer import Place, gathered, resume


def fit(
    model: PreTrainedModel,
    texts: Sequence[Text],
    recipe: Sft,
    seed: int,
    place: Place,
    execution: Execution,
    tokenizer: PreTrainedTokenizerBase,
) -> Fitted:
    """Fine-tune `model` in place, from its newest checkpoint on, on completions only."""
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            **arguments(recipe, seed, place, execution),
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=Dataset.from_list([_row(text) for text in in_order(texts, recipe, seed)]),
        processing_class=tokenizer,
    )
    resume(trainer, place)
    return Fitted(trainer.state.log_history, gathered(trainer))


def _row(text: Text) -> dict[str, list[int]]:
    given, predicted = map(list, text)
    return {"input_ids": given + predicted, "labels": [-100] * len(given) + predicted}


def arguments(recipe: Sft, seed: int, place: Place, execution: Execution) -> dict[str, Any]:
    """The settings of a trainer of TRL that follows a recipe.

    execution.micro_batch: a number; `auto` is the whole batch.
    """
    micro = None if execution.micro_batch == "auto" else execution.micro_batch
    geometry = solve(recipe.batch, micro)
    return dict(
        output_dir=str(place.folder),
        seed=seed,
        max_steps=recipe.steps,
        per_device_train_batch_size=geometry.micro,
        gradient_accumulation_steps=geometry.accumulate,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=recipe.warmup_steps,
        optim="adamw_torch",
        adam_beta2=0.98,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=recipe.precision == "bf16",
        gradient_checkpointing=execution.gradient_checkpointing,
        max_length=None,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        logging_steps=50,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
    )
