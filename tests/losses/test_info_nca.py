"""InfoNCA: a list worked by hand, both ends of the temperature, where its optimum lies."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def info_nca(load):
    return load("info_nca")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def shares(values) -> list[float]:
    weights = [math.exp(value) for value in values]
    return [weight / sum(weights) for weight in weights]


def by_definition(policy, reference, scores, beta, temperature) -> float:
    """Source: section 3, arXiv:2402.05369v3."""
    wanted = shares(score / temperature for score in scores)
    found = shares(beta * (one - other) for one, other in zip(policy, reference, strict=True))
    return -sum(share * math.log(other) for share, other in zip(wanted, found, strict=True))


def test_by_hand(info_nca, make):
    """q = 3/4, 1/4 and p = 1/5, 4/5: -(3/4) log(1/5) - (1/4) log(4/5)."""
    batch = make.lists([[0.0, math.log(4)]], [[math.log(3), 0.0]])
    expected = -3 / 4 * math.log(1 / 5) - 1 / 4 * math.log(4 / 5)
    found = info_nca(batch, beta=1.0, temperature=1.0).item()
    assert found == pytest.approx(expected, abs=1e-12)


def test_each_list_and_its_gradient(info_nca, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = info_nca(batch, beta=0.3, temperature=0.7)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, SCORES, strict=True)):
        others = [*others, 0.3, 0.7]
        assert losses[row].item() == pytest.approx(by_definition(policy, *others), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-8)


def test_at_the_reference(info_nca, make):
    """q = 3/4, 1/4: L = log 2 and dL/dlogp = beta (1/2 - q)."""
    batch = make.lists([[-7.0, -9.0]], [[math.log(3), 0.0]], [[-7.0, -9.0]])
    losses = info_nca(batch, beta=0.4, temperature=1.0)
    assert losses.item() == pytest.approx(math.log(2))
    assert make.gradient(losses, batch.completions)[0].tolist() == pytest.approx([-0.1, 0.1])


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0), shift=st.floats(-100, 0))
def test_cold_pairs_are_dpo_and_blind_to_a_shift(info_nca, dpo, make, chosen, rejected, shift):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=0.2)
    moved = make.lists([[rejected + shift, chosen + shift]], [[0.1, 0.2]])
    assert info_nca(moved, beta=0.2).item() == pytest.approx(pairwise.item())


def test_hot_temperature_ignores_the_scores(info_nca, make):
    hot = info_nca(make.lists(POLICY, SCORES), temperature=1e9)
    torch.testing.assert_close(hot, info_nca(make.lists(POLICY, [[0.5] * 4] * 2)))


@given(scores=st.lists(st.floats(0, 1), min_size=2, max_size=5), level=st.floats(-10, 10))
def test_optimum_at_any_level(info_nca, make, scores, level):
    """p = q where every reward is its score over the temperature, up to a constant."""
    batch = make.lists([[score / 0.5 + level for score in scores]], [scores])
    losses = info_nca(batch, beta=1.0, temperature=0.5)
    assert make.gradient(losses, batch.completions).abs().max() < 1e-9


def test_defaults(info_nca, make):
    """From the authors' yamls/reward_qlora.yaml; temperatures of 1e-4 show near ties."""
    batch = make.lists(POLICY[:1], [[0.5, 0.5001, 0.5002, 0.1]], REFERENCE[:1])
    torch.testing.assert_close(info_nca(batch), info_nca(batch, beta=0.01, temperature=1e-4))
