"""A tiny float64 policy, and examples of every feedback for it."""

import random

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from plumbline.train.examples import Example

WORDS = 30


def tiny_policy(seed: int = 0) -> GPTNeoXForCausalLM:
    """A GPT-NeoX of one layer, in float64; equal seeds give equal weights."""
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    return GPTNeoXForCausalLM(config).double()


def make_example(feedback: str, index: int) -> Example:
    """References are multiples of 1/8, which float32 holds exactly.

    `traceless`: pairs with their completions without traces.
    """
    draw = random.Random(f"{feedback} {index}")
    ids = [tuple(draw.choices(range(2, WORDS), k=draw.randint(1, 7))) for _ in range(6)]
    eighths = [-draw.randint(40, 200) / 8 for _ in range(5)]
    embedding = torch.tensor([draw.randint(-8, 8) / 8 for _ in range(5)])
    counts = {"pairs": 2, "traceless": 4, "singles": 1, "lists": 4}
    count = counts[feedback]
    single = feedback == "singles"
    return Example(
        id=f"{feedback}-{index}",
        prompt=ids[5],
        completions=tuple(ids[:count]),
        desirable=draw.random() < 0.4 if single else None,
        scores=tuple(draw.randint(0, 8) / 8 for _ in range(4)) if feedback == "lists" else None,
        mismatched=ids[4] if single else None,
        references=tuple(eighths[:count]),
        mismatched_reference=eighths[4] if single else None,
        embedding=embedding,
        propensity=draw.randint(1, 7) / 8 if single else None,
    )
