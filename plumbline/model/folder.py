"""Hugging Face model folders: made from scratch, loaded, saved atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from plumbline.artifacts import again, derive_seed, new_folder
from plumbline.errors import IntegrityError
from plumbline.schema import PretrainedModel, ScratchModel


def scratch_model(choice: ScratchModel, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A GPT-NeoX with random weights from the setting's model seed."""
    torch.manual_seed(derive_seed("weights", choice.seed))
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer),
            hidden_size=choice.hidden_size,
            num_hidden_layers=choice.layers,
            num_attention_heads=choice.heads,
            intermediate_size=4 * choice.hidden_size,
            max_position_embeddings=choice.max_positions,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def load_pretrained(
    choice: PretrainedModel,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model of the hub or of a local folder, with the config's chat template where it gives one.

    Code from the hub runs only where the config says `trust_remote_code: true`. Decoding settings
    that come with the model (a repetition penalty, say) are dropped: benchmarks say how to decode.
    """
    options = {"revision": choice.revision, "trust_remote_code": choice.trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(choice.path, **options)
    tokenizer.chat_template = choice.chat_template or tokenizer.chat_template
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(choice.path, dtype=choice.dtype, **options)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model, tokenizer


def load(
    folder: Path, attention: str = "sdpa", quantize: str = "none"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a folder that `save` wrote, on this process's GPU where there is one, and its
    tokenizer. attention: the implementation in transformers. quantize: see `schema.Adapter`.

    Raises IntegrityError where the weights are truncated.
    """
    how = quantization(quantize)
    options = {"attn_implementation": attention, "quantization_config": how}
    try:
        model = AutoModelForCausalLM.from_pretrained(folder, **options)
    except SafetensorError as error:
        weights = folder / "model.safetensors"
        message = f"{folder} holds no whole weights ({error}); {again(weights)}"
        raise IntegrityError(message) from error
    return model if how else model.to(device()), load_tokenizer(folder)


def quantization(quantize: str) -> BitsAndBytesConfig | None:
    """How weights are loaded: QLoRA's four-bit floats (arXiv:2305.14314), or None as they are."""
    if quantize == "none":
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def device() -> torch.device:
    """The GPU of this process, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder that `save` wrote."""
    return AutoTokenizer.from_pretrained(folder)


def save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder under a temporary name and rename it: it is complete or absent.

    weights: gathered from several processes; None are the model's own. Raises IntegrityError where
    the disk is full; what was written is removed.
    """
    with new_folder(folder) as temporary:
        model.save_pretrained(temporary, state_dict=weights)
        tokenizer.save_pretrained(temporary)
