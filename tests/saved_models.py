"""Tiny random models in Hugging Face folders, for evaluators that load a model themselves."""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerBase


def save(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    positions: int,
    corrupt: Callable[[GPTNeoXForCausalLM], None] = lambda model: None,
) -> str:
    """The folder of a random model that knows the tokenizer's words; `corrupt` may change it."""
    torch.manual_seed(0)
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=positions,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.5,
        )
    )
    corrupt(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
