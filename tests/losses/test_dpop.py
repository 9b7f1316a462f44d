"""DPOP: a golden number, the penalty by hand, DPO where nothing fell."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def dpop(load):
    return load("dpop")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (3) at beta = 0.2, lambda = 3."""
    up, down = chosen - chosen_reference, rejected - rejected_reference
    return math.log1p(math.exp(-0.2 * (up - down - 3.0 * max(0.0, -up))))


def test_losses_and_slopes(dpop, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = dpop(golden_zoo.pairs, beta=0.2, weight=3.0)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(dpop, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = dpop(golden_zoo.pairs, beta=0.1, weight=50.0).mean().item()
    assert found == pytest.approx(golden_zoo.values["dpop lambda=50"], abs=1e-9)


def test_a_fallen_chosen_response_by_hand(dpop, make):
    """h_w = -1, h_l = -3, lambda 4, beta 0.1: m = 0.1 (2 - 4) = -0.2; slope -0.5 sigma(.2)."""
    batch = make.pairs([-1.0], [-3.0])
    found = make.with_slopes(dpop(batch, beta=0.1, weight=4.0), batch)[:, 0].tolist()
    weight = 1 / (1 + math.exp(-0.2))
    assert found == pytest.approx([math.log1p(math.exp(0.2)), -0.5 * weight, 0.1 * weight])


@given(up=st.floats(0, 50), rejected=nats, weight=st.floats(0, 500))
def test_is_dpo_where_the_chosen_response_did_not_fall(dpop, load, make, up, rejected, weight):
    batch = make.pairs([up - 60.0], [rejected], -60.0, -40.0)
    here = make.with_slopes(dpop(batch, beta=0.2, weight=weight), batch)
    torch.testing.assert_close(here, make.with_slopes(load("dpo")(batch, beta=0.2), batch))
