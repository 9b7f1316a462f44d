"""Preference variance: the estimator, the bound of DPO's gradient by it, and who is kept."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Pairs
from plumbline.data.preference_variance import kept, preference_variance, teaches
from plumbline.plugins import load_method, method_spec
from plumbline.schema import Prompts

rewards = st.lists(st.floats(-20, 20), min_size=2, max_size=6)
dpo = load_method(method_spec("dpo"))


def sigma(value: float) -> float:
    return 1 / (1 + math.exp(-value))


# The estimator


def test_of_three_answers_by_hand():
    """Rewards 0, 0 and log 3: one pair is even, two stand 3 to 1, 1/4 from 1/2."""
    assert preference_variance([0, 0, math.log(3)]) == pytest.approx((0 + 2 / 16) * 2 / 6)


@given(rewards)
def test_it_is_the_variance_over_ordered_pairs(values):
    """Source: numpy, of the probabilities of all pairs one by one."""
    found = np.var([sigma(one - other) for one, other in permutations(values, 2)])
    assert preference_variance(values) == pytest.approx(found, abs=1e-12)


@given(rewards, st.floats(-10, 10))
def test_it_lies_in_its_range_and_knows_differences_only(values, shift):
    found = preference_variance(values)
    assert 0 <= found <= 0.25
    assert preference_variance([item + shift for item in values]) == pytest.approx(found, abs=1e-9)


@given(st.floats(-20, 20), st.integers(2, 6))
def test_equal_rewards_have_none(value, count):
    assert preference_variance([value] * count) == 0


def test_two_answers_far_apart_have_all_there_is():
    assert preference_variance([0, 1000]) == 0.25


def test_it_has_no_bias():
    """The mean over all samples of two or three answers of a policy with rational probabilities is
    the variance itself, pairs of the same answer included."""
    values, policy = [0.0, 0.5, 2.0], [0.5, 0.25, 0.25]
    exact = sum(
        p * q * (sigma(one - other) - 0.5) ** 2
        for one, p in zip(values, policy, strict=True)
        for other, q in zip(values, policy, strict=True)
    )
    for count in (2, 3):
        places = np.array(np.meshgrid(*[range(3)] * count)).reshape(count, -1).T
        weights = np.prod(np.array(policy)[places], axis=1)
        found = [preference_variance(np.array(values)[row]) for row in places]
        assert weights @ found == pytest.approx(exact)


# The bound, on a table of logits. Its two sides are computed apart: the gradient by autograd
# through losses/dpo.py, the bound from its formula.


def gradient(logits, reference, beta, labels) -> float:
    """Norm of the gradient of DPO's mean loss over pairs that the policy draws, by the logits.

    labels: [n, n], how often the first of a pair is the chosen one.
    """
    logits = logits.clone().requires_grad_()
    policy = logits.log_softmax(0)
    first, second = torch.cartesian_prod(*[torch.arange(len(policy))] * 2).unbind(-1)
    tokens = torch.ones(len(first), dtype=torch.int64)
    sides = (
        Completions(policy[side], tokens, {"reference": reference[side]})
        for side in (first, second)
    )
    losses = dpo(Pairs(*sides), beta=beta).view(len(policy), -1)
    drawn = policy.detach().exp()
    # The loss with the places exchanged is that of the other label: both are in the sum.
    loss = (2 * drawn[:, None] * drawn * labels * losses).sum()
    (found,) = torch.autograd.grad(loss, logits)
    return found.norm().item()


def spread(drawn, values) -> float:
    """PVar, exactly."""
    gaps = (values[:, None] - values).sigmoid() - 0.5
    return (drawn @ gaps**2 @ drawn).item()


def bound(logits, reference, beta, values) -> float:
    """beta sqrt(2 E|g|^2) (sqrt(PVar_r) + sqrt(PVar_theta)); of logits E|g|^2 is 1 - sum of p^2."""
    policy = logits.log_softmax(0)
    drawn = policy.exp()
    steepness = 2 * (1 - (drawn**2).sum().item())
    implicit = beta * (policy - reference)
    roots = spread(drawn, values) ** 0.5 + spread(drawn, implicit) ** 0.5
    return beta * steepness**0.5 * roots


def vectors(bound: float):
    numbers = st.lists(st.floats(-bound, bound), min_size=4, max_size=4)
    return numbers.map(lambda found: torch.tensor(found, dtype=torch.float64))


@given(vectors(4), vectors(4), vectors(8), st.floats(0.01, 5))
def test_the_gradient_is_below_the_bound(logits, reference, values, beta):
    reference = reference.log_softmax(0)
    labels = (values[:, None] - values).sigmoid()
    found = gradient(logits, reference, beta, labels)
    assert found <= bound(logits, reference, beta, values) * (1 + 1e-9) + 1e-12


@given(vectors(4), vectors(8), st.floats(0.01, 5))
def test_at_the_reference_the_root_of_pvar_bounds_it_and_so_its_cube_root(logits, values, beta):
    drawn = logits.softmax(0)
    found = gradient(logits, logits.log_softmax(0), beta, (values[:, None] - values).sigmoid())
    variance = spread(drawn, values)
    root = beta * 2**0.5 * variance**0.5
    assert found <= root * (1 + 1e-9) + 1e-12
    assert root <= beta * 2 ** (1 / 6) * variance ** (1 / 3) * (1 + 1e-9)


def test_the_bound_is_met_by_two_even_answers():
    """By hand: gradient 2 * beta / 4 * (p_r - 1/2) * |(1, -1)|, the bound is the same."""
    logits, values = torch.zeros(2).double(), torch.tensor([1.5, 0.0]).double()
    reference = logits.log_softmax(0)
    found = gradient(logits, reference, 0.7, (values[:, None] - values).sigmoid())
    assert found == pytest.approx(0.7 / 2 * (sigma(1.5) - 0.5) * 2**0.5)
    assert found == pytest.approx(bound(logits, reference, 0.7, values))


def test_labels_without_chance_are_not_bounded():
    """What the bound assumes: the better of two almost equal answers always chosen is a strong
    push, and PVar is almost zero."""
    logits, values = torch.zeros(2).double(), torch.tensor([1e-6, 0.0]).double()
    always = torch.tensor([[0.5, 1.0], [0.0, 0.5]]).double()
    found = gradient(logits, logits.log_softmax(0), 0.7, always)
    assert found > 1000 * bound(logits, logits.log_softmax(0), 0.7, values)


# Who is kept

#: 400 rows of two answers, the further apart the higher the number.
ROWS = {f"row-{number}": [0.0, number / 100] for number in range(400)}


def numbers(choice: Prompts) -> list[int]:
    return sorted(int(id.removeprefix("row-")) for id in kept(ROWS, choice, 0))


def test_three_in_four_prompts_teach_however_they_are_written():
    prompts = [[{"role": "user", "content": f"Question {number}"}] for number in range(400)]
    shouted = [[{"role": "user", "content": f"QUESTION  {number}"}] for number in range(400)]
    taught = [teaches(prompt, 0) for prompt in prompts]
    assert 260 < sum(taught) < 340
    assert [teaches(prompt, 0) for prompt in shouted] == taught
    assert [teaches(prompt, 1) for prompt in prompts] != taught


def test_the_highest_and_the_lowest_are_the_ends():
    assert numbers(Prompts(reward="words")) == list(range(400))
    assert numbers(Prompts(reward="words", share=0.1)) == list(range(360, 400))
    assert numbers(Prompts(reward="words", share=0.1, order="lowest")) == list(range(40))


def test_a_random_share_is_part_of_a_larger_one_and_of_no_order():
    tenth, half = (
        set(numbers(Prompts(reward="words", share=share, order="random"))) for share in (0.1, 0.5)
    )
    assert (len(tenth), len(half)) == (40, 200) and tenth < half
    assert 180 < sum(half) / len(half) < 220
