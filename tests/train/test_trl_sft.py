"""Fine-tuning by TRL against the engine's own loop: the same batches, rates and losses."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from plumbline.model.tokenizer import word_tokenizer
from plumbline.schema import Execution, Sft
from plumbline.toyland.world import VOCABULARY
from plumbline.train import language, trl_sft


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_tokenizer(VOCABULARY)


TEXTS = [
    ([2 + row % 5] * (1 + row % 3), [3 + (row + step) % 20 for step in range(1 + row % 6)])
    for row in range(24)
]


def weights(model) -> torch.Tensor:
    return torch.cat([item.detach().flatten() for item in model.parameters()])


@pytest.mark.parametrize("micro", ["auto", 2])
def test_both_loops_end_at_the_same_weights(policy, place, tokenizer, micro):
    """50 steps of 4 demonstrations. Weight decay, of which TRL spares biases and norms, moves a
    weight by 1e-5 of itself a step here."""
    recipe = Sft(data="demonstrations", steps=50, batch=4, learning_rate=0.001)
    execution = Execution(micro_batch=micro)
    ours, theirs = policy().float(), policy().float()
    start = weights(ours)
    own = language.fit(ours, TEXTS, recipe, 0, place, execution)
    trl = trl_sft.fit(theirs, TEXTS, recipe, 0, place, execution, tokenizer)
    moved = (weights(ours) - start).norm()
    assert (weights(ours) - weights(theirs)).norm() < 0.02 * moved and moved > 0.1
    assert own.log[0]["loss"] == pytest.approx(trl.log[0]["loss"], rel=1e-3)
    assert own.log[0]["learning_rate"] == pytest.approx(trl.log[0]["learning_rate"], rel=1e-6)


def test_prompts_are_not_learned():
    assert trl_sft._row(((5, 6), (7, 1))) == {
        "input_ids": [5, 6, 7, 1],
        "labels": [-100, -100, 7, 1],
    }
