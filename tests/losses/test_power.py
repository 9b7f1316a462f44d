"""POWER: hand-worked pairs, the entropy it is derived from, what lengths do."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def power(load):
    return load("power")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def by_definition(chosen, rejected, long, short, beta, eta) -> float:
    """Source: section 4, arXiv:2412.09544v1, as the file states it; counts are tokens."""
    margin = beta * (chosen / long - rejected / short + 1 / long - 1 / short)
    return math.log(1 + math.exp(-margin)) - eta * beta * chosen / long


def test_by_hand(power, make):
    """Five tokens each: margin 2 (-1 + 2) = 2, log(1 + e^-2) + 0.1 * 2 * 1."""
    losses = power(make.pairs([-5.0], [-10.0]), beta=2.0, eta=0.1)
    assert losses.item() == pytest.approx(math.log(1 + math.exp(-2)) + 0.2, abs=1e-12)


def test_each_pair_and_its_gradient(power, make, golden_zoo):
    """The pairs of golden_zoo.json: log-probabilities and lengths that differ."""
    batch = golden_zoo.pairs
    losses = power(batch, beta=1.7, eta=0.3)
    found = [make.gradient(losses, column).tolist() for column in (batch.chosen, batch.rejected)]
    for row, (chosen, rejected, _, _, *lengths) in enumerate(golden_zoo.rows):
        others = [*lengths, 1.7, 0.3]
        expected = by_definition(chosen, rejected, *others)
        assert losses[row].item() == pytest.approx(expected, abs=1e-12)
        expected = slopes(
            lambda point, others=others: by_definition(*point, *others), [chosen, rejected]
        )
        assert [side[row] for side in found] == pytest.approx(expected, abs=1e-8)


def test_equal_pairs(power, make):
    """Five tokens each: log 2, and slopes -beta/10 - eta beta/5 and +beta/10."""
    batch = make.pairs([-7.0], [-7.0])
    losses = power(batch, beta=2.0, eta=0.1)
    assert losses.item() == pytest.approx(math.log(2) + 0.2 * 7 / 5)
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.2 - 0.04)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.2)


@given(
    lengths=st.lists(st.integers(1, 20), min_size=3, max_size=3),
    rewards=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    beta=st.floats(0.5, 3),
)
def test_margin_is_the_reward_of_the_optimal_policy(power, lengths, rewards, beta):
    """Source: the definition, E[r] + beta H, its multiplier of sum pi = 1 by bisection."""
    from plumbline import Completions, Pairs

    def policy(multiplier: float) -> list[float]:
        pairs = zip(lengths, rewards, strict=True)
        return [min((reward - multiplier) * length / beta - 1, 500.0) for length, reward in pairs]

    low, high = -100.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        mass = sum(map(math.exp, policy(middle)))
        low, high = (middle, high) if mass > 1 else (low, middle)
    chosen, rejected, _ = (
        Completions(torch.tensor([value]).double(), torch.tensor([length]))
        for value, length in zip(policy(middle), lengths, strict=True)
    )
    found = power(Pairs(chosen, rejected), beta=beta, eta=0.0).item()
    assert found == pytest.approx(math.log(1 + math.exp(rewards[1] - rewards[0])), abs=1e-5)


@given(chosen=st.floats(-100, 0), rejected=st.floats(-100, 0))
def test_is_dpo_on_means_for_equal_lengths(power, dpo, make, chosen, rejected):
    pairwise = dpo(make.pairs([chosen], [rejected]), beta=2 / 5)
    found = power(make.pairs([chosen], [rejected]), beta=2.0, eta=0.0)
    assert found.item() == pytest.approx(pairwise.item())


def test_defaults(power, golden_zoo):
    """From memory, as the file says; held here so that a change shows."""
    batch = golden_zoo.pairs
    torch.testing.assert_close(power(batch), power(batch, beta=2.0, eta=5e-4), rtol=0, atol=1e-12)
