"""EXO: a hand-worked pair, a golden number, TRL, and where its margin stops."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def exo(load):
    return load("exo")


def test_by_hand(exo, make):
    """q = 3/4, epsilon = 1/10: (3/4) log(5/6) + (1/4) log(5/2)."""
    losses = exo(make.pairs([math.log(3)], [0.0]), beta=1.0, epsilon=0.1)
    expected = 0.75 * math.log(5 / 6) + 0.25 * math.log(5 / 2)
    assert losses.item() == pytest.approx(expected, abs=1e-12)


def test_golden(exo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = exo(golden_zoo.pairs, beta=0.1, epsilon=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["exo_pair eps=.1"], abs=1e-12)


def test_trl(exo, make, golden_zoo):
    """Source: TRL's own `exo_pair`, executed on each pair; it takes log epsilon in float32."""
    expected = trl_pairs.dpo("exo_pair", golden_zoo, beta=0.3, label_smoothing=0.02)
    losses = exo(golden_zoo.pairs, beta=0.3, epsilon=0.02)
    found = make.with_slopes(losses, golden_zoo.pairs)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_at_the_reference(exo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(exo(batch, beta=0.4, epsilon=0.2), batch)[:, 0].tolist()
    slope = 0.1 * math.log(4)
    assert found == pytest.approx([-math.log(2) - math.log(0.16) / 2, -slope, slope])


@given(epsilon=st.floats(1e-3, 0.4), beta=st.floats(0.05, 1))
def test_margin_stops_where_the_policy_prefers_as_the_label(exo, make, epsilon, beta):
    """q = 1 - epsilon: divergence 0, no gradient."""
    batch = make.pairs([math.log((1 - epsilon) / epsilon) / beta], [0.0])
    found = make.with_slopes(exo(batch, beta=beta, epsilon=epsilon), batch)
    assert found.abs().max() < 1e-9


@given(margin=st.floats(-20, 20), epsilon=st.floats(1e-3, 0.4))
def test_swapping_swaps_the_label(exo, make, margin, epsilon):
    here = exo(make.pairs([margin], [0.0]), beta=1.0, epsilon=epsilon)
    there = exo(make.pairs([0.0], [margin]), beta=1.0, epsilon=1 - epsilon)
    torch.testing.assert_close(here, there, rtol=1e-6, atol=1e-9)


def test_defaults(exo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(exo(batch), exo(batch, beta=0.1, epsilon=1e-3))
