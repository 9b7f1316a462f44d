"""APO-zero: a hand-worked pair, a golden number, TRL, and that it is a sum over its sides."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def apo_zero(load):
    return load("apo_zero")


nats = st.floats(-100, 100)


def test_by_hand(apo_zero, make):
    """beta h = log 3 and -log 4: 1 - 3/4 + 1/5."""
    batch = make.pairs([math.log(3) / 2], [-math.log(4) / 2])
    assert apo_zero(batch, beta=2.0).item() == pytest.approx(0.45, abs=1e-12)


def test_golden(apo_zero, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = apo_zero(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["apo_zero"], abs=1e-13)


def test_trl(apo_zero, make, golden_zoo):
    """Source: TRL's own `apo_zero`, executed on each pair."""
    expected = trl_pairs.dpo("apo_zero", golden_zoo, beta=0.3)
    losses = apo_zero(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(apo_zero, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(apo_zero(batch, beta=0.4), batch)[:, 0].tolist()
    assert found == pytest.approx([1.0, -0.1, 0.1])


@given(chosen=nats, rejected=nats)
def test_swapping_complements_to_two(apo_zero, make, chosen, rejected):
    here = apo_zero(make.pairs([chosen], [rejected])).item()
    there = apo_zero(make.pairs([rejected], [chosen])).item()
    assert here + there == pytest.approx(2.0)


@given(chosen=nats, rejected=nats)
def test_each_side_is_kto_with_its_point_at_zero(apo_zero, load, make, chosen, rejected):
    """Source: KTO's two cases at z_0 = 0; the two papers share the shape."""
    both = make.singles([chosen, rejected], [True, False], mismatched=[-1.0, -1.0])
    found = apo_zero(make.pairs([chosen], [rejected]), beta=0.3)
    torch.testing.assert_close(found, load("kto")(both, beta=0.3).sum(0, keepdim=True))


def test_default(apo_zero, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(apo_zero(batch), apo_zero(batch, beta=0.1))
