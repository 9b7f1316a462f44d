"""DPO: a hand-worked pair, golden numbers, and what it cannot see."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


def test_by_hand(dpo, make):
    """log-ratios 1 and -0.5, beta 0.1: L = log(1 + exp(-0.15)) = log(1.8607079764) = 0.6209571."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    assert dpo(batch, beta=0.1).item() == pytest.approx(math.log(1.8607079764250578), abs=1e-12)


def test_golden(dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = dpo(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["sigmoid(DPO)"], abs=1e-13)


def test_trl(dpo, golden_zoo):
    """Source: TRL's own `sigmoid`, executed."""
    expected = trl_losses.dpo("sigmoid", golden_zoo.policy, golden_zoo.reference, beta=0.3)
    torch.testing.assert_close(dpo(golden_zoo.pairs, beta=0.3).mean(), expected)


def test_at_the_reference(dpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    losses = dpo(batch, beta=0.3)
    assert losses.item() == pytest.approx(math.log(2))
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.15)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.15)


@given(chosen=nats, rejected=nats, shift=st.floats(-100, 0))
def test_blind_to_a_common_shift(dpo, make, chosen, rejected, shift):
    here = dpo(make.pairs([chosen], [rejected]))
    there = dpo(make.pairs([chosen + shift], [rejected + shift]))
    torch.testing.assert_close(here, there)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_gradient_formula(dpo, make, chosen, rejected, beta):
    """Source: Rafailov et al., section 4: -beta sigma(r_l - r_w) on chosen, + on rejected."""
    batch = make.pairs([chosen], [rejected])
    losses = dpo(batch, beta=beta)
    weight = beta * torch.sigmoid(torch.tensor(beta * (rejected - chosen), dtype=torch.float64))
    torch.testing.assert_close(make.gradient(losses, batch.chosen), -weight[None])
    torch.testing.assert_close(make.gradient(losses, batch.rejected), weight[None])


def test_default(dpo, make):
    batch = make.pairs([-10.0], [-12.0])
    assert torch.equal(dpo(batch), dpo(batch, beta=0.1))
