"""Hybrid DPO: a golden number, both sides of the reference's opinion."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def hybrid_dpo(load):
    return load("hybrid_dpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """The loss at beta = 0.3; the reference prefers the chosen response in two of three pairs."""
    prior = max(0.0, chosen_reference - rejected_reference)
    return math.log1p(math.exp(-0.3 * (chosen - rejected - prior)))


def test_losses_and_slopes(hybrid_dpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = hybrid_dpo(golden_zoo.pairs, beta=0.3)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(hybrid_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = hybrid_dpo(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["hybrid-dpo (2602.11902)"], abs=1e-9)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1), gap=st.floats(0, 50))
def test_is_dpo_where_the_reference_agrees(hybrid_dpo, load, make, chosen, rejected, beta, gap):
    batch = make.pairs([chosen], [rejected], -30.0, -30.0 - gap)
    torch.testing.assert_close(hybrid_dpo(batch, beta=beta), load("dpo")(batch, beta=beta))


@given(chosen=nats, rejected=nats, gap=st.floats(0, 50))
def test_ignores_a_reference_that_disagrees(hybrid_dpo, load, make, chosen, rejected, gap):
    batch = make.pairs([chosen], [rejected], -30.0 - gap, -30.0)
    alone = load("cpo")(batch, beta=0.2, alpha=0.0)
    torch.testing.assert_close(hybrid_dpo(batch, beta=0.2), alone)
