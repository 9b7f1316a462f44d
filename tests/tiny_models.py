"""Random models of a few parameters, of several architectures, in float64."""

import torch
from transformers import (
    AutoModelForCausalLM,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
)

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


def exact(model: torch.nn.Module) -> torch.nn.Module:
    """The model with torch's own RMSNorm: transformers' rounds to float32 even in float64."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child).__name__.endswith("RMSNorm"):
                norm = torch.nn.RMSNorm(child.weight.shape, eps=child.variance_epsilon)
                setattr(module, name, norm)
    return model


def tiny_model(
    architecture: str = "gpt_neox", *, tied: bool = False, seed: int = 0
) -> PreTrainedModel:
    """A random model in float64 and evaluation mode; equal seeds give equal weights."""
    torch.manual_seed(seed)
    config = CONFIGS[architecture](**SIZES, tie_word_embeddings=tied)
    return exact(AutoModelForCausalLM.from_config(config)).double().eval()
