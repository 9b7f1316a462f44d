"""A reward model by TRL's RewardTrainer, as most reward models of the field were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForSequenceClassification, PreTrainedModel, set_seed
from trl import RewardConfig, RewardTrainer

from plumbline.layout import ModelFolder
from plumbline.model.folder import load_tokenizer
from plumbline.schema import Execution, Sft
from plumbline.train.language import in_order
from plumbline.train.trainer import Place
from plumbline.train.trl_sft import arguments

#: A prompt with its chosen, and with its rejected completion, as token ids.
Pair = tuple[Sequence[int], Sequence[int]]


def fit(
    start: ModelFolder,
    pairs: Sequence[Pair],
    recipe: Sft,
    seed: int,
    work: Path,
    execution: Execution,
) -> PreTrainedModel:
    """A stage's model with a new head, all weights trained on pairs; no checkpoints are kept.

    work: a folder for the trainer.
    """
    set_seed(seed)  # the head's first weights
    trainer = RewardTrainer(
        model=AutoModelForSequenceClassification.from_pretrained(start.model, num_labels=1),
        args=RewardConfig(**arguments(recipe, seed, Place(work, 0, {}), execution)),
        train_dataset=Dataset.from_list(
            [
                {"chosen_ids": list(chosen), "rejected_ids": list(rejected)}
                for chosen, rejected in in_order(pairs, recipe, seed)
            ]
        ),
        processing_class=load_tokenizer(start.model),
    )
    trainer.train()
    return trainer.model.eval()
