"""Importance against autograd through transformers' own logits, one unpadded row at a time."""

import pytest
import torch

from plumbline.model.importance import token_importance
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import apart, together

GROUPS = [
    ([5, 6, 7, 8], [[4, 1], [20, 21, 22, 23, 1]]),
    ([9], [[7, 7], [3, 28, 2]]),
    ([3, 3], [[29, 1, 28], [3]]),
]


def plain(model, prompt: list[int], completion: list[int]) -> list[float]:
    """Eqs. (5) and (6), arXiv:2505.19653v3, of y_1 ... y_T-1, whose last logits predict y_T."""
    seen = torch.tensor([[*prompt, *completion[:-1]]])
    embedded = model.get_input_embeddings()(seen).detach().requires_grad_()
    logits = model(inputs_embeds=embedded).logits[0, -1]
    (slopes,) = torch.autograd.grad(logits.max(), embedded)
    norms = slopes[0].abs().sum(-1)[len(prompt) :].tolist()
    return [norm / sum(norms) for norm in norms] + [0.0]


@pytest.mark.parametrize("arrange", [together, apart])
@pytest.mark.parametrize("architecture", ["gpt_neox", "llama"])
def test_importance_is_the_plain_one(tiny_model, architecture, arrange):
    model = tiny_model(architecture)
    found = token_importance(Policy(model, arrange), GROUPS, tokens=12)
    for (prompt, answers), several in zip(GROUPS, found, strict=True):
        for completion, values in zip(answers, several, strict=True):
            assert sum(values) == pytest.approx(1) and min(values) >= 0
            if len(completion) > 1:
                assert values == pytest.approx(plain(model, prompt, completion), abs=1e-6)


def test_a_single_token_has_all_of_it(tiny_model):
    assert token_importance(Policy(tiny_model()), [([9, 4], [[2]])]) == [[[1.0]]]


def test_no_gradient_is_left_on_the_model(tiny_model):
    model = tiny_model()
    token_importance(Policy(model), GROUPS[:1])
    assert all(weight.grad is None for weight in model.parameters())
