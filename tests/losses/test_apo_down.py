"""APO-down: a hand-worked pair, a golden number, TRL, and that it lowers both responses."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def apo_down(load):
    return load("apo_down")


nats = st.floats(-100, 100)


def test_by_hand(apo_down, make):
    """beta h = log 3 and log 1/4: 3/4 + 1 - 12/13."""
    batch = make.pairs([math.log(3) / 2], [-math.log(4) / 2])
    assert apo_down(batch, beta=2.0).item() == pytest.approx(0.75 + 1 / 13, abs=1e-12)


def test_golden(apo_down, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = apo_down(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["apo_down"], abs=1e-13)


def test_trl(apo_down, make, golden_zoo):
    """Source: TRL's own `apo_down`, executed on each pair."""
    expected = trl_pairs.dpo("apo_down", golden_zoo, beta=0.3)
    losses = apo_down(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(apo_down, make):
    """The two pulls on the chosen response cancel: the reason of the exemption."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(apo_down(batch, beta=0.4), batch)[:, 0].tolist()
    assert found == pytest.approx([1.0, 0.0, 0.1], abs=1e-12)


@given(chosen=st.floats(-1, 1), rejected=st.floats(-9, -3))
def test_lowers_both_once_the_rejected_has_fallen(apo_down, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    found = make.with_slopes(apo_down(batch, beta=1.0), batch)[:, 0].tolist()
    assert found[1] > 0 and found[2] > 0


@given(chosen=nats, rejected=nats)
def test_bounds(apo_down, make, chosen, rejected):
    assert 0 <= apo_down(make.pairs([chosen], [rejected])).item() <= 2


def test_default(apo_down, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(apo_down(batch), apo_down(batch, beta=0.1))
