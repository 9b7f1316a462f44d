"""Hugging Face model folders: made from scratch, loaded, saved atomically."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from plumbline.artifacts import derive_seed
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


def load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a folder that `save` wrote, on the GPU where there is one, and its tokenizer."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return AutoModelForCausalLM.from_pretrained(folder).to(device), load_tokenizer(folder)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder that `save` wrote."""
    return AutoTokenizer.from_pretrained(folder)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model folder under a temporary name and rename it: it is complete or absent."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
