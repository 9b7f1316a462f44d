"""Tiny models in float64, and the tokenizers of models made here."""

import pytest
import tiny_models
import torch

from plumbline.model.tokenizer import byte_bpe, word_tokenizer
from plumbline.toyland.world import VOCABULARY

torch.set_num_threads(1)


@pytest.fixture
def tiny_model():
    """A random model of an architecture, in float64 and evaluation mode."""
    return tiny_models.tiny_model


@pytest.fixture(scope="session")
def words():
    """Toyland's tokenizer of whole words."""
    return word_tokenizer(VOCABULARY)


@pytest.fixture(scope="session")
def bytes_bpe():
    """A byte-level BPE of a few words."""
    return byte_bpe(["the cat sat on the mat", "the hat of the cat"] * 4, 300)
