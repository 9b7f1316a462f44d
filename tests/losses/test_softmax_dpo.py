"""S-DPO: a list worked by hand, the authors' form of the loss, its relations to DPO and InfoNCA."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]
BEST = [1, 0]


@pytest.fixture(scope="module")
def softmax_dpo(load):
    return load("softmax_dpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(policy, reference, best, beta) -> float:
    """Source: Eq. (11), arXiv:2406.09215v3, in its first form."""
    ratios = [one - other for one, other in zip(policy, reference, strict=True)]
    terms = [
        math.exp(beta * (ratio - ratios[best]))
        for place, ratio in enumerate(ratios)
        if place != best
    ]
    return -math.log(1 / (1 + math.exp(math.log(sum(terms)))))


def test_by_hand(softmax_dpo, make):
    """exp(r) = 2, 3, 5 and the second is best: -log(3 / 10)."""
    batch = make.lists([[math.log(2), math.log(3), math.log(5)]], [[0.5, 1.0, 0.2]])
    assert softmax_dpo(batch, beta=1.0).item() == pytest.approx(-math.log(3 / 10), abs=1e-12)


def test_each_list_and_its_gradient(softmax_dpo, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = softmax_dpo(batch, beta=0.3)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, BEST, strict=True)):
        assert losses[row].item() == pytest.approx(by_definition(policy, *others, 0.3), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others, 0.3), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(softmax_dpo, make):
    batch = make.lists([[-7.0, -9.0, -4.0]], [[0.0, 1.0, 0.5]], [[-7.0, -9.0, -4.0]])
    losses = softmax_dpo(batch, beta=0.3)
    assert losses.item() == pytest.approx(math.log(3))
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([0.1, -0.2, 0.1])


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), shift=st.floats(-100, 0))
def test_two_responses_are_dpo_and_blind_to_a_shift(
    softmax_dpo, dpo, make, chosen, rejected, shift
):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=0.2)
    moved = make.lists([[rejected + shift, chosen + shift]], [[0.1, 0.2]])
    assert softmax_dpo(moved, beta=0.2).item() == pytest.approx(pairwise.item())


def test_is_info_nca_when_cold(softmax_dpo, load, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    cold = load("info_nca")(batch, beta=0.3, temperature=1e-4)
    torch.testing.assert_close(softmax_dpo(batch, beta=0.3), cold)


def test_the_others_are_all_alike(softmax_dpo, make):
    here = softmax_dpo(make.lists(POLICY, SCORES, REFERENCE))
    other = [[0.7, 1.0, 0.5, 0.0], [0.9, 0.4, 0.2, 0.3]]
    torch.testing.assert_close(softmax_dpo(make.lists(POLICY, other, REFERENCE)), here)


def test_of_tied_best_responses_the_first(softmax_dpo, make):
    losses = softmax_dpo(make.lists([[1.0, 0.0, 2.0]], [[0.2, 0.8, 0.8]]), beta=1.0)
    assert losses.item() == pytest.approx(math.log(math.e + 1 + math.e**2))


def test_defaults(softmax_dpo, make):
    """1, from the authors' softmax_dpo.sh."""
    batch = make.lists(POLICY, SCORES, REFERENCE)
    torch.testing.assert_close(softmax_dpo(batch), softmax_dpo(batch, beta=1.0))
