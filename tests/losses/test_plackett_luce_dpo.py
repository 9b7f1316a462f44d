"""Plackett-Luce DPO: rankings worked by hand, the probabilities it fits, DPO at N = 2."""

import math
from itertools import permutations

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def plackett_luce_dpo(load):
    return load("plackett_luce_dpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(policy, reference, scores, beta) -> float:
    """Source: Eq. (20), arXiv:2305.18290v3, factor by factor."""
    ranked = sorted(zip(scores, policy, reference, strict=True), reverse=True)
    weights = [math.exp(beta * (policy - reference)) for _, policy, reference in ranked]
    return -sum(math.log(weights[k] / sum(weights[k:])) for k in range(len(weights)))


def test_by_hand(plackett_luce_dpo, make):
    """exp(r) = 2, 3, 5 ranked second, first, third: -log(3/10) - log(2/7) - log 1."""
    batch = make.lists([[math.log(2), math.log(3), math.log(5)]], [[0.5, 1.0, 0.2]])
    expected = -math.log(3 / 10) - math.log(2 / 7)
    assert plackett_luce_dpo(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(plackett_luce_dpo, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = plackett_luce_dpo(batch, beta=0.3)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, SCORES, strict=True)):
        expected = by_definition(policy, *others, 0.3)
        assert losses[row].item() == pytest.approx(expected, abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others, 0.3), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(plackett_luce_dpo, make):
    """Every ranking is equally likely: 1/N!. The best gains 1 - 1/N, the last of 3 loses 5/6."""
    batch = make.lists([[-7.0, -9.0, -4.0]], [[1.0, 0.0, 0.5]], [[-7.0, -9.0, -4.0]])
    losses = plackett_luce_dpo(batch, beta=0.3)
    assert losses.item() == pytest.approx(math.log(6))
    expected = [-0.3 * 2 / 3, 0.3 * 5 / 6, 0.3 * (1 / 3 - 1 / 2)]
    assert make.gradient(losses, batch.completions)[0].tolist() == pytest.approx(expected)


@given(ratios=st.lists(st.floats(-20, 20), min_size=2, max_size=4))
def test_is_minus_the_log_of_a_probability(plackett_luce_dpo, make, ratios):
    """Over all rankings of one list the probabilities exp(-L) sum to 1."""
    rankings = list(permutations(range(len(ratios))))
    scores = [[place / len(ratios) for place in ranking] for ranking in rankings]
    losses = plackett_luce_dpo(make.lists([ratios] * len(rankings), scores), beta=0.3)
    assert (-losses).exp().sum().item() == pytest.approx(1)


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), shift=st.floats(-100, 0))
def test_two_responses_are_dpo_and_blind_to_a_shift(
    plackett_luce_dpo, dpo, make, chosen, rejected, shift
):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=0.2)
    moved = make.lists([[rejected + shift, chosen + shift]], [[0.1, 0.2]])
    assert plackett_luce_dpo(moved, beta=0.2).item() == pytest.approx(pairwise.item())


def test_only_the_order_of_the_scores_counts(plackett_luce_dpo, make):
    wide = plackett_luce_dpo(make.lists(POLICY, SCORES, REFERENCE))
    narrow = [[0.5 + score / 100 for score in scores] for scores in SCORES]
    torch.testing.assert_close(plackett_luce_dpo(make.lists(POLICY, narrow, REFERENCE)), wide)


def test_ties_keep_the_order_of_the_list(plackett_luce_dpo, make):
    tied = plackett_luce_dpo(make.lists(POLICY, [[0.5] * 4] * 2, REFERENCE))
    ranked = plackett_luce_dpo(make.lists(POLICY, [[0.9, 0.8, 0.7, 0.6]] * 2, REFERENCE))
    torch.testing.assert_close(tied, ranked)


def test_defaults(plackett_luce_dpo, make):
    """The paper's 0.1 for DPO."""
    batch = make.lists(POLICY, SCORES, REFERENCE)
    torch.testing.assert_close(plackett_luce_dpo(batch), plackett_luce_dpo(batch, beta=0.1))
