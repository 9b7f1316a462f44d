"""LiPO-lambda: lists worked by hand, weights of ranks and scores, DPO at N = 2."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.5, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def lipo(load):
    return load("lipo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(policy, reference, scores, beta) -> float:
    """Source: Eq. (8), arXiv:2402.01878v3, pair by pair."""
    rewards = [beta * (one - other) for one, other in zip(policy, reference, strict=True)]
    ranks = [1 + sum(other > reward for other in rewards) for reward in rewards]
    total = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if scores[i] > scores[j]:
                gains = abs((2 ** scores[i] - 1) - (2 ** scores[j] - 1))
                discounts = abs(1 / math.log(1 + ranks[i]) - 1 / math.log(1 + ranks[j]))
                total += gains * discounts * math.log(1 + math.exp(rewards[j] - rewards[i]))
    return total


def test_by_hand(lipo, make):
    """Scores 1, 0.5, 0, rewards log 2, log 4, 0, hence ranks 2, 1, 3.

    Gains 1, sqrt 2 - 1, 0; inverse discounts 1/log 3, 1/log 2, 1/log 4. Best and middle:
    (2 - sqrt 2)(1/log 2 - 1/log 3) log(1 + 2); best and last: (1/log 3 - 1/log 4) log(1 + 1/2);
    middle and last: (sqrt 2 - 1)(1/log 2 - 1/log 4) log(1 + 1/4).
    """
    first, second, third = (1 / math.log(rank + 1) for rank in (1, 2, 3))
    expected = (
        (2 - math.sqrt(2)) * (first - second) * math.log(3)
        + (second - third) * math.log(3 / 2)
        + (math.sqrt(2) - 1) * (first - third) * math.log(5 / 4)
    )
    batch = make.lists([[math.log(2), math.log(4), 0.0]], [[1.0, 0.5, 0.0]])
    assert lipo(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(lipo, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = lipo(batch, beta=0.3)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, SCORES, strict=True)):
        assert losses[row].item() == pytest.approx(by_definition(policy, *others, 0.3), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others, 0.3), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(lipo, make):
    """Ranks follow the list: here the best response stands second of two."""
    batch = make.lists([[-7.0, -9.0]], [[0.0, 1.0]], [[-7.0, -9.0]])
    losses = lipo(batch, beta=0.4)
    weight = 1 / math.log(2) - 1 / math.log(3)
    assert losses.item() == pytest.approx(weight * math.log(2))
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([0.2 * weight, -0.2 * weight])


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), shift=st.floats(-100, 0))
def test_two_responses_are_weighted_dpo_and_blind_to_a_shift(
    lipo, dpo, make, chosen, rejected, shift
):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=0.2)
    moved = make.lists([[rejected + shift, chosen + shift]], [[0.1, 0.2]])
    weight = (2**0.2 - 2**0.1) * (1 / math.log(2) - 1 / math.log(3))
    assert lipo(moved, beta=0.2).item() == pytest.approx(weight * pairwise.item())


def test_equal_scores_give_no_loss(lipo, make):
    assert lipo(make.lists(POLICY, [[0.5] * 4] * 2, REFERENCE)).tolist() == [0, 0]


@given(st.permutations(range(4)))
def test_the_order_of_a_list_does_not_matter(lipo, make, order):
    here = lipo(make.lists(POLICY, SCORES, REFERENCE))
    shuffled = [[[row[place] for place in order] for row in rows] for rows in (POLICY, SCORES)]
    there = [[row[place] for place in order] for row in REFERENCE]
    assert lipo(make.lists(*shuffled, there)).tolist() == pytest.approx(here.tolist())


@given(st.permutations(range(4)))
def test_mixed_orders_weigh_less(lipo, make, ranks):
    """Why a run may raise the loss: at rewards close to 0 it is log 2 times the sum of weights."""
    scores = [[1.0, 0.7, 0.5, 0.0]]
    agreeing, reverse, mixed = (
        lipo(make.lists([[-1e-6 * rank for rank in order]], scores), beta=0.1).item()
        for order in (range(4), range(4)[::-1], ranks)
    )
    assert mixed <= max(agreeing, reverse) + 1e-6
    between = lipo(make.lists([[-2e-6, -1e-6, -4e-6, -3e-6]], scores), beta=0.1).item()
    assert between < min(agreeing, reverse)


def test_defaults(lipo, make):
    """0.05, section 5 of the paper."""
    batch = make.lists(POLICY, SCORES, REFERENCE)
    torch.testing.assert_close(lipo(batch), lipo(batch, beta=0.05))
