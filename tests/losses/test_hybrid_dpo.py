"""Hybrid-DPO: a hand-worked batch, a golden number, and both kinds of reference."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def hybrid_dpo(load):
    return load("hybrid_dpo")


def test_by_hand(hybrid_dpo, make, golden_zoo):
    """beta 0.3; u = 0.3 (p_w - p_l - max(0, r_w - r_l)) of the golden pairs:

    p -42.5 and -55.25, r -44 and -44.5     u = 0.3 (12.75 - 0.5)  = 3.675
    p -61 and -38.5, r -58 and -41.5        u = 0.3 (-22.5 - 0)    = -6.75
    p -12.25 and -13, r -12.75 and -13.5    u = 0.3 (0.75 - 0.75)  = 0
    """
    margins = [3.675, -6.75, 0.0]
    losses = [math.log(1 + math.exp(-margin)) for margin in margins]
    slopes = [0.3 / (1 + math.exp(margin)) for margin in margins]
    expected = [losses, [-slope for slope in slopes], slopes]
    found = make.with_slopes(hybrid_dpo(golden_zoo.pairs, beta=0.3), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_golden(hybrid_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = hybrid_dpo(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["hybrid-dpo (2602.11902)"], abs=1e-13)


def test_premature_satisfaction(hybrid_dpo, make):
    """D_ref = -3 and D = -1: DPO's weight is sigma(-2), here sigma(1). Source: the paper's case."""
    batch = make.pairs([-11.0], [-10.0], [-13.0], [-10.0])
    found = make.gradient(hybrid_dpo(batch, beta=1.0), batch.chosen).item()
    assert found == pytest.approx(-1 / (1 + math.exp(-1)))


def test_defaults(hybrid_dpo, golden_zoo):
    """Source: DPO's beta."""
    assert torch.equal(hybrid_dpo(golden_zoo.pairs), hybrid_dpo(golden_zoo.pairs, beta=0.1))


def test_at_the_reference(hybrid_dpo, make):
    """A reference that prefers the chosen response by 2: DPO. By -2: u = -2 beta."""
    batch = make.pairs([-7.0, -9.0], [-9.0, -7.0], [-7.0, -9.0], [-9.0, -7.0])
    found = make.with_slopes(hybrid_dpo(batch, beta=0.4), batch)
    slope = 0.4 / (1 + math.exp(-0.8))
    losses = [math.log(2), math.log(1 + math.exp(0.8))]
    expected = torch.tensor([losses, [-0.2, -slope], [0.2, slope]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


@given(chosen=nats, rejected=nats, reference=nats, ahead=st.floats(0, 50))
def test_with_an_optimistic_reference_it_is_dpo(
    hybrid_dpo, load, make, chosen, rejected, reference, ahead
):
    batch = make.pairs([chosen], [rejected], reference + ahead, reference)
    torch.testing.assert_close(hybrid_dpo(batch, beta=0.3), load("dpo")(batch, beta=0.3))


@given(chosen=nats, rejected=nats, reference=nats, behind=st.floats(0, 50))
def test_with_a_pessimistic_reference_it_has_none(
    hybrid_dpo, load, make, chosen, rejected, reference, behind
):
    batch = make.pairs([chosen], [rejected], reference - behind, reference)
    neutral = make.pairs([chosen], [rejected])
    torch.testing.assert_close(hybrid_dpo(batch, beta=0.3), load("dpo")(neutral, beta=0.3))
