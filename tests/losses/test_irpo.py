"""IRPO: lists worked by hand, weights of ranks and scores, DPO at N = 2."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.1, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def irpo(load):
    return load("irpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(policy, reference, scores, beta) -> float:
    """Source: the loss of section 3, arXiv:2504.15477v1, response by response."""
    rewards = [beta * (one - other) for one, other in zip(policy, reference, strict=True)]
    total = 0.0
    for i, reward in enumerate(rewards):
        rank = 1 + sum(other > scores[i] for other in scores)
        odds = [math.exp(other - reward) for j, other in enumerate(rewards) if j != i]
        weight = (2 ** scores[i] - 1) / math.log(1 + rank, 2)
        total += weight * math.log(1 + sum(odds) / len(odds))
    return total / len(rewards)


def test_by_hand(irpo, make):
    """exp(r) = 2, 3, 5; scores 0.5, 1, 0: best log(1 + 7/6), middle log(1 + 4/2), both over 3."""
    batch = make.lists([[math.log(2), math.log(3), math.log(5)]], [[0.5, 1.0, 0.0]])
    middle = (math.sqrt(2) - 1) / math.log2(3) * math.log(3)
    expected = (math.log(13 / 6) + middle) / 3
    assert irpo(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(irpo, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = irpo(batch, beta=0.3)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, SCORES, strict=True)):
        assert losses[row].item() == pytest.approx(by_definition(policy, *others, 0.3), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others, 0.3), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(irpo, make):
    """Mean odds are even: log 2 times the mean weight; only the best of two has one."""
    batch = make.lists([[-7.0, -9.0]], [[0.0, 1.0]], [[-7.0, -9.0]])
    losses = irpo(batch, beta=0.4)
    assert losses.item() == pytest.approx(math.log(2) / 2)
    assert make.gradient(losses, batch.completions)[0].tolist() == pytest.approx([0.1, -0.1])


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), shift=st.floats(-100, 0))
def test_two_responses_are_half_of_dpo_and_blind_to_a_shift(
    irpo, dpo, make, chosen, rejected, shift
):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=0.2)
    moved = make.lists([[rejected + shift, chosen + shift]], [[0.0, 1.0]])
    assert irpo(moved, beta=0.2).item() == pytest.approx(pairwise.item() / 2)


def test_scores_of_zero_have_no_term(irpo, make):
    assert irpo(make.lists(POLICY, [[0.0] * 4] * 2, REFERENCE)).tolist() == [0, 0]


def test_ties_keep_the_order_of_the_list(irpo, make):
    """Equal scores at the reference: log 2 (2^s - 1) / N times the sum of 1 / log2(1 + k)."""
    batch = make.lists([[0.0, 0.0, 0.0]], [[0.5, 0.5, 0.5]])
    discounts = sum(1 / math.log2(1 + rank) for rank in (1, 2, 3))
    expected = math.log(2) * (math.sqrt(2) - 1) * discounts / 3
    assert irpo(batch).item() == pytest.approx(expected)


def test_defaults(irpo, make):
    """1, from the authors' README."""
    batch = make.lists(POLICY, SCORES, REFERENCE)
    torch.testing.assert_close(irpo(batch), irpo(batch, beta=1.0))
