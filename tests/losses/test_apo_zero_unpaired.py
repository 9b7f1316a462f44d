"""Unpaired APO-zero: TRL's own code, a golden number, and KTO without a reference point."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

WEIGHTS = {"desirable_weight": 1.5, "undesirable_weight": 0.7}
#: Log-probabilities, references and labels of five responses.
FIVE = ([-10.0, -8.0, -20.0, -3.0, -5.0], [True, False, True, False, False])
REFERENCES = [-11.0, -9.5, -17.0, -3.25, -1.0]


@pytest.fixture(scope="module")
def apo(load):
    return load("apo_zero_unpaired")


def test_by_hand(apo, make):
    """1.5 (1 - sigma(.3 * 2)) and 0.7 sigma(.3 * -1)."""
    found = apo(make.singles([2.0, -1.0], [True, False]), beta=0.3, **WEIGHTS)
    expected = [1.5 * (1 - 1 / (1 + math.exp(-0.6))), 0.7 / (1 + math.exp(0.3))]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_golden(apo, make, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits), which sums a pair's two terms."""
    policy = [row[0] for row in golden_zoo.rows] + [row[1] for row in golden_zoo.rows]
    reference = [row[2] for row in golden_zoo.rows] + [row[3] for row in golden_zoo.rows]
    batch = make.singles(policy, [True] * 3 + [False] * 3, reference)
    found = 2 * apo(batch, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["apo_zero"], abs=1e-13)


@settings(deadline=None)  # the first one imports TRL
@given(beta=st.floats(0.01, 2))
def test_trl(apo, make, beta):
    """Source: TRL's own `apo_zero_unpaired`, executed: value and gradient."""
    batch = make.singles(*FIVE, REFERENCES)
    policy, reference = batch.completion.policy[:, None], batch.completion.reference[:, None]
    expected = trl_losses.kto(
        "apo_zero_unpaired",
        list(policy),
        list(reference),
        batch.desirable,
        torch.zeros(5),
        beta=beta,
        **WEIGHTS,
    )
    found = apo(batch, beta=beta, **WEIGHTS).mean()
    torch.testing.assert_close(found, expected)
    gradients = (make.gradient(mean, batch.completion) for mean in (found, expected))
    torch.testing.assert_close(*gradients)


def test_at_the_reference(apo, make):
    batch = make.singles([-4.0, -7.0], [True, False], [-4.0, -7.0])
    losses = apo(batch, beta=0.3, **WEIGHTS)
    assert losses.tolist() == pytest.approx([0.75, 0.35])
    found = make.gradient(losses, batch.completion).tolist()
    assert found == pytest.approx([-1.5 * 0.3 / 4, 0.7 * 0.3 / 4])


def test_defaults(apo, make):
    batch = make.singles(*FIVE, REFERENCES)
    stated = apo(batch, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0)
    assert torch.equal(apo(batch), stated)


@given(mismatched=st.floats(-20, 0))
def test_it_is_kto_at_a_reference_point_of_zero(apo, load, make, mismatched):
    """Where no other prompt's completion has risen on average."""
    batch = make.singles(*FIVE, REFERENCES, mismatched=[mismatched] * 5)
    expected = load("kto")(batch, beta=0.3, **WEIGHTS)
    torch.testing.assert_close(apo(batch, beta=0.3, **WEIGHTS), expected)


@given(ratio=st.floats(-30, 30))
def test_the_labels_share_one(apo, make, ratio):
    """At equal weights a response costs as desirable what it does not cost as undesirable."""
    both = apo(make.singles([ratio, ratio], [True, False]), beta=0.3)
    assert both.sum().item() == pytest.approx(1)
