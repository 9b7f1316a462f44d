"""DPOP: a hand-worked batch, a golden number, and both sides of its penalty."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def dpop(load):
    return load("dpop")


def test_by_hand(dpop, make, golden_zoo):
    """beta 0.2, lambda 2; u = 0.2 (h_w - h_l - 2 max(0, -h_w)) of the golden pairs:

    h 1.5 and -10.75   u = 0.2 * 12.25      = 2.45
    h -3 and 3         u = 0.2 (-6 - 2 * 3) = -2.4, and h_w counts 1 + lambda = 3 times
    h 0.5 and 0.5      u = 0
    """
    margins, times = [2.45, -2.4, 0.0], [1, 3, 1]
    losses = [math.log(1 + math.exp(-margin)) for margin in margins]
    slopes = [0.2 / (1 + math.exp(margin)) for margin in margins]
    chosen = [-slope * count for slope, count in zip(slopes, times, strict=True)]
    found = make.with_slopes(dpop(golden_zoo.pairs, beta=0.2, weight=2.0), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.tensor([losses, chosen, slopes], dtype=torch.float64))


def test_golden(dpop, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = dpop(golden_zoo.pairs, beta=0.1, weight=50.0).mean().item()
    assert found == pytest.approx(golden_zoo.values["dpop lambda=50"], abs=1e-12)


def test_defaults(dpop, golden_zoo):
    """Source: lambda as SamPO's `dpop` has it; beta as others report the paper's."""
    assert torch.equal(dpop(golden_zoo.pairs), dpop(golden_zoo.pairs, beta=0.3, weight=50.0))


def test_at_the_reference(dpop, make):
    """At the kink of the penalty the first step is DPO's."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(dpop(batch, beta=0.2, weight=5.0), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.1, 0.1])


@given(gain=st.floats(0, 50), rejected=nats, weight=st.floats(0, 60))
def test_above_the_reference_it_is_dpo(dpop, load, make, gain, rejected, weight):
    batch = make.pairs([-60.0 + gain], [rejected], -60.0, -40.0)
    torch.testing.assert_close(dpop(batch, beta=0.2, weight=weight), load("dpo")(batch, beta=0.2))


@given(fall=st.floats(0.1, 50), weight=st.floats(1.0, 60))
def test_both_falling_together_costs(dpop, make, fall, weight):
    """What DPO is blind to: u = -beta lambda fall, whatever the margin of zero."""
    losses = dpop(make.pairs([-fall], [-fall]), beta=0.1, weight=weight)
    assert losses.item() == pytest.approx(math.log1p(math.exp(0.1 * weight * fall)))


def test_without_a_penalty_it_is_dpo(dpop, load, golden_zoo):
    found = dpop(golden_zoo.pairs, beta=0.2, weight=0.0)
    torch.testing.assert_close(found, load("dpo")(golden_zoo.pairs, beta=0.2))
