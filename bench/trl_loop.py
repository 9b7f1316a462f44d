"""The suite as a loop over TRL's trainers in one process.

It goes on to the next method for each line of stdin, {"method", "betas", "seeds"}. Datasets come
from files, so that their tokens and reference log-probabilities are cached and made once.
PRO-P and PRO-B are not in TRL: the cheapest loss of the same feedback stands in for each.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import torch
from datasets import load_dataset

from bench.gate import Gate
from bench.theirs import CLASSES, OPTIONS
from bench.worker import own_stdout

#: Trainer, loss, data and batch of each method.
METHODS = {
    "dpo": ("dpo", "sigmoid", "pairs", 32),
    "nca": ("dpo", "nca_pair", "pairs", 32),
    "pro_p": ("dpo", "sigmoid", "pairs", 32),
    "kto": ("kto", "kto", "singles", 64),
    "pro_b": ("kto", "apo_zero_unpaired", "singles", 64),
}


def main() -> None:
    """Train every run of each method that is asked for."""
    given, answers = json.loads(sys.argv[1]), own_stdout()
    options = {key: OPTIONS[key] for key in OPTIONS if key not in given["left to TRL"]}
    torch.set_num_threads(1)
    gate = Gate(sys.stdin, answers)
    while order := json.loads(gate.wait()):
        for beta, seed in product(order["betas"], order["seeds"]):
            folder = Path(given["folder"])
            train(folder, folder / given["side"], options, order["method"], beta, seed)


def train(
    folder: Path, own: Path, common: dict[str, Any], method: str, beta: float, seed: int
) -> None:
    """One run: the SFT model, one epoch, the model saved.

    folder: what all loops read. own: what this loop writes.
    """
    trainer_class, config_class = CLASSES[METHODS[method][0]]
    _, loss, kind, batch = METHODS[method]
    output = own / f"{method}-{beta}-{seed}"
    options = {
        "beta": beta,
        "loss_type": loss,
        "seed": seed,
        "num_train_epochs": 1,
        "per_device_train_batch_size": batch,
    }
    data = str(folder / f"{kind}.jsonl")
    trainer = trainer_class(
        model=str(folder / "sft"),
        args=config_class(str(output), **common, **options),
        train_dataset=load_dataset(
            "json", data_files=data, split="train", cache_dir=str(own / "cache")
        ),
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
