"""BCO on pairs: a hand-worked pair, a golden number, TRL, and that it bounds DPO."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def bco_pair(load):
    return load("bco_pair")


nats = st.floats(-100, 100)


def test_by_hand(bco_pair, make):
    """beta h = log 3 and log 4: -log(3/4) - log(1/5)."""
    batch = make.pairs([math.log(3) / 2], [math.log(4) / 2])
    expected = math.log(4 / 3) + math.log(5)
    assert bco_pair(batch, beta=2.0).item() == pytest.approx(expected, abs=1e-12)


def test_golden(bco_pair, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = bco_pair(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["bco_pair"], abs=1e-13)


def test_trl(bco_pair, make, golden_zoo):
    """Source: TRL's own `bco_pair`, executed on each pair."""
    expected = trl_pairs.dpo("bco_pair", golden_zoo, beta=0.3)
    losses = bco_pair(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(bco_pair, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(bco_pair(batch, beta=0.4), batch)[:, 0].tolist()
    assert found == pytest.approx([2 * math.log(2), -0.2, 0.2])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_bounds_dpo_from_above(bco_pair, load, make, chosen, rejected, beta):
    """Source: the paper's motivation; sigma(a) sigma(-b) <= sigma(a - b)."""
    batch = make.pairs([chosen], [rejected])
    slack = bco_pair(batch, beta=beta) - load("dpo")(batch, beta=beta)
    assert slack.item() > -1e-12


@given(chosen=nats, rejected=nats)
def test_swapping_turns_the_signs(bco_pair, make, chosen, rejected):
    here = bco_pair(make.pairs([chosen], [rejected]))
    there = bco_pair(make.pairs([-rejected], [-chosen]))
    torch.testing.assert_close(here, there)


def test_default(bco_pair, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(bco_pair(batch), bco_pair(batch, beta=0.01))
