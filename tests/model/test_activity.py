"""Activity against transformers' own hidden states, one unpadded row at a time."""

import pytest
import torch

from plumbline.model.activity import token_activity
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import apart, together

GROUPS = [
    ([5, 6, 7, 8], [[4, 1], [20, 21, 22, 23, 1]]),
    ([9], [[2], [7, 7]]),
    ([3, 3], [[29, 1, 28], [3]]),
]


def plain(model, prompt: list[int], completion: list[int]) -> list[float]:
    """By hand from `hidden_states`: mean over width, least and most of each layer, mean of them.

    The last state is normalised, and left out.
    """
    with torch.no_grad():
        out = model(input_ids=torch.tensor([prompt + completion]), output_hidden_states=True)
    layers = []
    for states in out.hidden_states[:-1]:
        means = states[0, len(prompt) - 1 : -1].mean(1).tolist()
        low, high = min(means), max(means)
        layers.append([(item - low) / (high - low) if high > low else 1.0 for item in means])
    return [sum(column) / len(layers) for column in zip(*layers, strict=True)]


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize("architecture", ["gpt_neox", "llama"])
def test_activity_is_the_plain_one(tiny_model, architecture, arrange):
    model = tiny_model(architecture)
    found = token_activity(Policy(model, arrange), GROUPS, tokens=12)
    for (prompt, answers), several in zip(GROUPS, found, strict=True):
        for completion, values in zip(answers, several, strict=True):
            assert values == pytest.approx(plain(model, prompt, completion), abs=1e-4)
            assert min(values) >= 0 and max(values) <= 1


def test_a_single_token_counts_in_full(tiny_model):
    assert token_activity(Policy(tiny_model()), [([9, 4], [[2]])]) == [[[1.0]]]
