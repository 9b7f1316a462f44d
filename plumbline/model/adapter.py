"""Low-rank adapters through peft: a model trained by small updates, merged into it at the end.

The frozen weights are the reference's, whose log-probabilities were computed before: training
needs no second model.
"""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from plumbline.schema import Adapter


def attach(model: PreTrainedModel, choice: Adapter) -> PeftModel:
    """`model` with frozen weights and an adapter that changes nothing yet."""
    return get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=choice.rank,
            lora_alpha=choice.alpha,
            lora_dropout=choice.dropout,
            target_modules=choice.targets,
        ),
    )


def quantization(choice: Adapter) -> BitsAndBytesConfig | None:
    """How the frozen weights are loaded: QLoRA's four-bit floats, or None as they are."""
    if choice.quantize == "none":
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def merged(adapted: PeftModel, choice: Adapter, base: Path, work: Path) -> PreTrainedModel:
    """The model with its adapter added to its weights; quantized weights are loaded anew in full.

    base: the folder of the frozen model. work: where the adapter may lie meanwhile.
    """
    if choice.quantize == "none":
        return adapted.merge_and_unload()
    adapted.save_pretrained(work)
    whole = AutoModelForCausalLM.from_pretrained(base)
    return PeftModel.from_pretrained(whole, work).merge_and_unload()
