"""NCA for N scored responses: a hand-worked list, the two ends of the temperature, the optimum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def nca_list(load):
    return load("nca_list")


def test_by_hand(nca_list, make):
    """Scores log 3 and 0 at temperature 1: q = 3/4, 1/4; at r = 0 L = (q_1 + q_2) log 2 + log 2."""
    batch = make.lists([[0.0, 0.0]], [[math.log(3), 0.0]])
    losses = nca_list(batch, beta=0.1, temperature=1.0)
    assert losses.item() == pytest.approx(2 * math.log(2))
    expected = torch.tensor([[0.1 * (0.25 - 0.75 / 2), 0.1 * (0.25 - 0.25 / 2)]])
    torch.testing.assert_close(make.gradient(losses, batch.completions), expected.double())


def test_hot_temperature_ignores_the_scores(nca_list, make):
    policy = [[-1.0, -5.0, 2.0]]
    hot = nca_list(make.lists(policy, [[1.0, 0.0, 0.4]]), temperature=1e9)
    even = nca_list(make.lists(policy, [[0.5, 0.5, 0.5]]))
    torch.testing.assert_close(hot, even)


@given(scores=st.lists(st.floats(0, 1), min_size=2, max_size=5), temperature=st.floats(0.1, 10))
def test_every_response_stops_at_its_share(nca_list, make, scores, temperature):
    """Source: d/dr of -q log sigma(r) - (1/N) log sigma(-r) is zero at sigma(r) = q / (q + 1/N)."""
    weights = [math.exp(score / temperature) for score in scores]
    shares = [weight / sum(weights) for weight in weights]
    optimum = [math.log(share * len(scores)) for share in shares]
    batch = make.lists([optimum], [scores])
    losses = nca_list(batch, beta=1.0, temperature=temperature)
    assert make.gradient(losses, batch.completions).abs().max() < 1e-9


@given(shift=st.floats(-5, 5))
def test_only_score_differences_matter(nca_list, make, shift):
    policy, scores = [[-1.0, -5.0]], [0.2, 0.9]
    here = nca_list(make.lists(policy, [scores]), temperature=0.5)
    there = nca_list(make.lists(policy, [[score + shift for score in scores]]), temperature=0.5)
    torch.testing.assert_close(here, there)


def test_only_log_ratios_matter(nca_list, make):
    policy, reference, scores = [[-11.0, -8.5]], [[-10.0, -9.0]], [[0.2, 0.9]]
    found = nca_list(make.lists(policy, scores, reference), beta=0.3, temperature=0.5)
    ratios = nca_list(make.lists([[-1.0, 0.5]], scores), beta=0.3, temperature=0.5)
    torch.testing.assert_close(found, ratios)


def test_defaults(nca_list, make):
    """Scores so close that a temperature of 1e-4 does not leave the best one alone."""
    batch = make.lists([[-10.0, -3.0]], [[0.5001, 0.5]])
    assert torch.equal(nca_list(batch), nca_list(batch, beta=0.01, temperature=1e-4))
