"""SLiC-HF: a hand-worked batch, a golden number, and the two sides of its hinge."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def slic_hf(load):
    return load("slic_hf")


def test_by_hand(slic_hf, make, golden_zoo):
    """delta 0.75, lambda 0.2, Eq. (4) on the three pairs of the golden batch:

    -42.5, -55.25    0.75 + 42.5 - 55.25 = -12, so 0      + 0.2 * 42.5  = 8.5
    -61, -38.5       0.75 + 61 - 38.5 = 23.25             + 0.2 * 61    = 35.45
    -12.25, -13      0.75 + 12.25 - 13 = 0, at the hinge  + 0.2 * 12.25 = 2.45
    """
    losses = slic_hf(golden_zoo.pairs, delta=0.75, weight=0.2)
    expected = [[8.5, 35.45, 2.45], [-0.2, -1.2, -0.2], [0.0, 1.0, 0.0]]
    found = make.with_slopes(losses, golden_zoo.pairs)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_golden(slic_hf, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = slic_hf(golden_zoo.pairs, delta=1.0, weight=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["slic delta=1 lambda=.1"], abs=1e-12)


def test_defaults(slic_hf, make):
    """Source: the paper and HALOs for a margin of 1, HALOs for a lambda of 0.1."""
    assert slic_hf(make.pairs([-20.0], [-20.0])).item() == pytest.approx(1.0 + 0.1 * 20, abs=1e-12)


@given(policy=nats, reference=nats, delta=st.floats(0.1, 9), weight=st.floats(0, 2))
def test_at_equal_likelihood_whatever_the_reference(
    slic_hf, make, policy, reference, delta, weight
):
    batch = make.pairs([policy], [policy], reference, -reference)
    found = make.with_slopes(slic_hf(batch, delta=delta, weight=weight), batch)[:, 0].tolist()
    assert found == pytest.approx([delta - weight * policy, -1 - weight, 1.0])


@given(chosen=nats, beyond=st.floats(1e-3, 50), weight=st.floats(0, 2))
def test_beyond_the_margin_it_is_supervised(slic_hf, make, chosen, beyond, weight):
    batch = make.pairs([chosen], [chosen - 2.0 - beyond])
    found = make.with_slopes(slic_hf(batch, delta=2.0, weight=weight), batch)[:, 0].tolist()
    assert found == pytest.approx([-weight * chosen, -weight, 0.0])


@given(chosen=nats, rejected=nats, delta=st.floats(0.1, 9))
def test_without_a_reference_it_is_rso_hinge(slic_hf, load, make, chosen, rejected, delta):
    """Source: Liu et al., Eq. (9): gamma = 1 / delta, the loss in units of delta."""
    batch = make.pairs([chosen], [rejected])
    hinge = load("rso_hinge")(batch, gamma=1 / delta)
    torch.testing.assert_close(slic_hf(batch, delta=delta, weight=0.0), delta * hinge)
