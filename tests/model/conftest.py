"""Tiny models in float64, and the tokenizers of models made here."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from plumbline.model.tokenizer import byte_bpe, word_tokenizer
from plumbline.toyland.world import VOCABULARY

torch.set_num_threads(1)
WORDS = 30
SIZES = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,  # grouped, where the architecture has it
    "max_position_embeddings": 64,
    "initializer_range": 0.4,  # so that logits differ by several nats
}
CONFIGS = {
    "gpt_neox": GPTNeoXConfig,
    "llama": LlamaConfig,
    "mistral": MistralConfig,
    "qwen2": Qwen2Config,
}


@pytest.fixture
def tiny_model():
    """A random model of an architecture, in float64 and evaluation mode."""

    def make(architecture: str = "gpt_neox", *, tied: bool = False, seed: int = 0):
        torch.manual_seed(seed)
        config = CONFIGS[architecture](**SIZES, tie_word_embeddings=tied)
        return AutoModelForCausalLM.from_config(config).double().eval()

    return make


@pytest.fixture(scope="session")
def words():
    """Toyland's tokenizer of whole words."""
    return word_tokenizer(VOCABULARY)


@pytest.fixture(scope="session")
def bytes_bpe():
    """A byte-level BPE of a few words."""
    return byte_bpe(["the cat sat on the mat", "the hat of the cat"] * 4, 300)
