"""TRL's side: its trainers as its documentation shows them, on the same batches in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from bench.conversations import as_trl
from bench.gate import Gate
from bench.models import RECIPE, make_model, make_tokenizer, view, visiting
from bench.works import Work
from plumbline.train.align import Dynamics, Probing

#: The fastest settings that are exact on a CPU, and our recipe. TRL's own defaults are bf16 and
#: gradient checkpointing, which are slower there.
OPTIONS = {
    "bf16": False,
    "use_cpu": True,
    "gradient_checkpointing": False,
    "precompute_ref_log_probs": True,
    "max_length": None,
    "optim": "rmsprop",
    "learning_rate": RECIPE.learning_rate,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": RECIPE.warmup_steps,
    "max_grad_norm": RECIPE.max_grad_norm,
    "logging_steps": RECIPE.log_every,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "dataloader_pin_memory": False,
}

CLASSES = {"dpo": (DPOTrainer, DPOConfig), "kto": (KTOTrainer, KTOConfig)}


def train(work: Work, method: str, steps: int, gate: Gate, folder: Path) -> list[dict[str, Any]]:
    """Train for `steps` steps, with `gate` before every repeat; the training log.

    method: dpo, on pairs or on lists cut into pairs, or kto.
    """
    kind = "singles" if method == "kto" else "pairs" if work.responses == 2 else "lists"
    tokenizer = make_tokenizer(work)
    rows = view(work, kind, steps, tokenizer)
    given = [one for index in visiting(work, kind, rows, tokenizer) for one in as_trl(rows[index])]
    options = OPTIONS | {
        "per_device_train_batch_size": len(given) // steps,
        "train_sampling_strategy": "sequential",
        "max_steps": steps,
    }
    trainer_class, config_class = CLASSES[method]
    trainer = trainer_class(
        model=make_model(work, tokenizer),
        args=config_class(str(folder), **options),
        train_dataset=Dataset.from_list(given),
        processing_class=tokenizer,
        callbacks=[Probing(gate, Dynamics(1), work.steps)],
    )
    trainer.train()
    return trainer.state.log_history
