"""Unpaired APO-down: TRL's own code for pairs on one pair, and hand-worked batches."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

WEIGHTS = {"desirable_weight": 1.5, "undesirable_weight": 0.7}


@pytest.fixture(scope="module")
def apo(load):
    return load("apo_down_unpaired")


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_by_hand(apo, make):
    """The desirable ones' mean is (2 - 1 + 5) / 3 = 2; undesirable ones at 0.5 and -3."""
    ratios, labels = [2.0, 0.5, -1.0, -3.0, 5.0], [True, False, True, False, True]
    found = apo(make.singles(ratios, labels), beta=0.3, **WEIGHTS).tolist()
    expected = [
        1.5 * sigmoid(0.6),
        0.7 * (1 - sigmoid(0.3 * 1.5)),
        1.5 * sigmoid(-0.3),
        0.7 * (1 - sigmoid(0.3 * 5)),
        1.5 * sigmoid(1.5),
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(apo, make):
    """With s' = sigma (1 - sigma): a desirable one has its own 1.5 * .3 s'(.3 h), and of each
    undesirable one, at distance h - 2, a third of -.7 * .3 s'(.3 (h - 2))."""
    ratios, labels = [2.0, 0.5, -1.0, -3.0, 5.0], [True, False, True, False, True]
    batch = make.singles(ratios, labels)
    found = make.gradient(apo(batch, beta=0.3, **WEIGHTS), batch.completion).tolist()

    def slope(value: float) -> float:
        return 0.3 * sigmoid(0.3 * value) * (1 - sigmoid(0.3 * value))

    pulled = 0.7 * (slope(-1.5) + slope(-5.0)) / 3
    expected = [
        1.5 * slope(2.0) - pulled,
        0.7 * slope(-1.5),
        1.5 * slope(-1.0) - pulled,
        0.7 * slope(-5.0),
        1.5 * slope(5.0) - pulled,
    ]
    assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)  # the first one imports TRL
@given(ratios=st.tuples(*[st.floats(-20, 20)] * 2), beta=st.floats(0.01, 2))
def test_one_of_each_label_is_trls_pair(apo, make, ratios, beta):
    """Source: TRL's own `apo_down`, executed: value, and gradient on both responses."""
    batch = make.singles(list(ratios), [True, False], [-0.5, 0.25])
    policy, reference = batch.completion.policy[:, None], batch.completion.reference[:, None]
    expected = trl_losses.dpo("apo_down", list(policy), list(reference), beta=beta)
    found = apo(batch, beta=beta).sum()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    gradients = (make.gradient(total, batch.completion) for total in (found, expected))
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_at_the_reference(apo, make):
    batch = make.singles([-4.0, -7.0], [True, False], [-4.0, -7.0])
    losses = apo(batch, beta=0.3)
    assert losses.tolist() == [0.5, 0.5]
    assert make.gradient(losses, batch.completion).tolist() == pytest.approx([0, 0.075])


def test_without_a_desirable_response_the_anchor_is_the_reference(apo, make):
    found = apo(make.singles([2.0, -1.0], [False, False]), beta=0.3).tolist()
    assert found == pytest.approx([sigmoid(0.6), sigmoid(-0.3)])


def test_defaults(apo, make):
    batch = make.singles([2.0, 0.5, -1.0], [True, False, True])
    stated = apo(batch, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0)
    assert torch.equal(apo(batch), stated)
