"""RSO's hinge: a hand-worked pair, a golden number, TRL, and where it leaves a pair alone."""

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def rso_hinge(load):
    return load("rso_hinge")


def test_by_hand(rso_hinge, make):
    """Log-ratios 1 and -0.5: 1 - 0.2 * 1.5; at gamma = 0.8 the margin 1.2 is past the hinge."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    found = make.with_slopes(rso_hinge(batch, gamma=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([0.7, -0.2, 0.2], abs=1e-12)
    assert make.with_slopes(rso_hinge(batch, gamma=0.8), batch)[:, 0].tolist() == [0, 0, 0]


def test_golden(rso_hinge, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = rso_hinge(golden_zoo.pairs, gamma=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["hinge"], abs=1e-12)


def test_trl(rso_hinge, make, golden_zoo):
    """Source: TRL's own `hinge`, executed on each pair; a token's slope is its response's."""
    batch = golden_zoo.pairs
    expected = trl_pairs.dpo("hinge", golden_zoo, beta=0.07)
    torch.testing.assert_close(make.with_slopes(rso_hinge(batch, gamma=0.07), batch), expected)


def test_defaults(rso_hinge, golden_zoo):
    """Source: TRL's paper index on the paper's gamma."""
    assert torch.equal(rso_hinge(golden_zoo.pairs), rso_hinge(golden_zoo.pairs, gamma=0.05))


@given(gamma=st.floats(1e-3, 1))
def test_at_the_reference(rso_hinge, make, gamma):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(rso_hinge(batch, gamma=gamma), batch)[:, 0].tolist()
    assert found == pytest.approx([1.0, -gamma, gamma])


@given(rejected=nats, beyond=st.floats(1e-3, 50), gamma=st.floats(0.01, 1))
def test_leaves_alone_what_is_past_the_margin(rso_hinge, make, rejected, beyond, gamma):
    batch = make.pairs([rejected + 1 / gamma + beyond], [rejected])
    assert make.with_slopes(rso_hinge(batch, gamma=gamma), batch)[:, 0].tolist() == [0, 0, 0]


@given(chosen=nats, rejected=nats, shift=st.floats(-100, 0))
def test_blind_to_a_common_shift(rso_hinge, make, chosen, rejected, shift):
    here = rso_hinge(make.pairs([chosen], [rejected]))
    there = rso_hinge(make.pairs([chosen + shift], [rejected + shift]))
    torch.testing.assert_close(here, there)
