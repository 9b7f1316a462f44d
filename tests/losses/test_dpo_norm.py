"""Length-normalised DPO: a hand-worked pair, a golden number, TRL, and DPO on one length."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def dpo_norm(load):
    return load("dpo_norm")


def test_by_hand(dpo_norm, make):
    """Log-ratios 1 and -0.5 over 5 tokens each, beta 5: log(1 + e^-1.5)."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = math.log(1 + math.exp(-1.5))
    assert dpo_norm(batch, beta=5.0).item() == pytest.approx(expected, abs=1e-12)


def test_golden(dpo_norm, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = dpo_norm(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["sigmoid_norm"], abs=1e-13)


def test_trl(dpo_norm, make, golden_zoo):
    """Source: TRL's own `sigmoid_norm`, executed on each pair."""
    expected = trl_pairs.dpo("sigmoid_norm", golden_zoo, beta=3.0)
    losses = dpo_norm(golden_zoo.pairs, beta=3.0)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(dpo_norm, make):
    """Five tokens in each response."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(dpo_norm(batch, beta=2.0), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.2, 0.2])


@given(chosen=st.floats(-200, 0), rejected=st.floats(-200, 0), beta=st.floats(0.1, 10))
def test_on_one_length_it_is_dpo(dpo_norm, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(dpo_norm(batch, beta=beta), load("dpo")(batch, beta=beta / 5))


def test_default(dpo_norm, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(dpo_norm(batch), dpo_norm(batch, beta=5.0))
