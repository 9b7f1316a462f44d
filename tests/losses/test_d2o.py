"""D2O: lists worked by hand, DPO at N = 2, what of the list it does not look at."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]
WORST = [2, 1]


@pytest.fixture(scope="module")
def d2o(load):
    return load("d2o")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(policy, reference, worst, beta, alpha) -> float:
    """Source: Eq. (3), arXiv:2403.03419v2."""
    ratios = [one - other for one, other in zip(policy, reference, strict=True)]
    others = [ratio for place, ratio in enumerate(ratios) if place != worst]
    margin = beta / len(others) * sum(others) - alpha * ratios[worst]
    return math.log(1 + math.exp(-margin))


def test_by_hand(d2o, make):
    """h = 1, 3 and -0.5 of the worst: 0.2 * 2 + 0.4 * 0.5 = 0.6, log(1 + exp(-0.6))."""
    batch = make.lists([[1.0, -0.5, 3.0]], [[0.5, 0.0, 0.9]])
    expected = math.log(1 + math.exp(-0.6))
    assert d2o(batch, beta=0.2, alpha=0.4).item() == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(d2o, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = d2o(batch, beta=0.3, alpha=0.7)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, WORST, strict=True)):
        others = [*others, 0.3, 0.7]
        assert losses[row].item() == pytest.approx(by_definition(policy, *others), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(d2o, make):
    batch = make.lists([[-7.0, -9.0, -4.0]], [[0.0, 1.0, 0.5]], [[-7.0, -9.0, -4.0]])
    losses = d2o(batch, beta=0.4, alpha=0.6)
    assert losses.item() == pytest.approx(math.log(2))
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx([0.3, -0.1, -0.1])


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), beta=st.floats(0.01, 1))
def test_two_responses_are_dpo(d2o, dpo, make, chosen, rejected, beta):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=beta)
    found = d2o(make.lists([[rejected, chosen]], [[0.1, 0.2]]), beta=beta, alpha=beta)
    assert found.item() == pytest.approx(pairwise.item())


def test_the_others_are_all_alike(d2o, make):
    here = d2o(make.lists(POLICY, SCORES, REFERENCE))
    other = [[0.7, 0.5, 0.0, 1.0], [0.3, 0.2, 0.4, 0.9]]
    torch.testing.assert_close(d2o(make.lists(POLICY, other, REFERENCE)), here)


def test_of_tied_worst_responses_the_first(d2o, make):
    losses = d2o(make.lists([[1.0, 0.0, 2.0]], [[0.2, 0.8, 0.2]]), beta=1.0, alpha=1.0)
    assert losses.item() == pytest.approx(math.log(2))


def test_defaults_are_the_papers(d2o, make):
    """alpha = beta = 0.1: h = 1 and -0.5 give 0.15, as in DPO."""
    losses = d2o(make.lists([[1.0, -0.5]], [[1.0, 0.0]]))
    assert losses.item() == pytest.approx(math.log(1 + math.exp(-0.15)))
