"""Low-rank adapters through peft: a model trained by small updates, merged into it at the end.

The frozen weights are the reference's, whose log-probabilities were computed before: training
needs no second model. peft takes a second to import: it is imported by who trains an adapter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from transformers import AutoModelForCausalLM, PreTrainedModel

from plumbline.schema import Adapter

if TYPE_CHECKING:
    from peft import PeftModel


def attach(model: PreTrainedModel, choice: Adapter) -> PeftModel:
    """`model` with frozen weights and an adapter that changes nothing yet."""
    from peft import LoraConfig, get_peft_model

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


def merged(adapted: PeftModel, choice: Adapter, base: Path, work: Path) -> PreTrainedModel:
    """The model with its adapter added to its weights; quantized weights are loaded anew in full.

    base: the folder of the frozen model. work: where the adapter may lie meanwhile.
    """
    from peft import PeftModel

    if choice.quantize == "none":
        return adapted.merge_and_unload()
    adapted.save_pretrained(work)
    whole = AutoModelForCausalLM.from_pretrained(base)
    return PeftModel.from_pretrained(whole, work).merge_and_unload()
