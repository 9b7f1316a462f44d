"""DiscoPOP: a hand-worked pair, a golden number, TRL, its dip and hump, and its clamp."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def discopop(load):
    return load("discopop")


def test_by_hand(discopop, make):
    """u = log 2, tau = 1/2: g = sigma(log 4) = 4/5; (1/5) log(3/2) + (4/5) (1/2)."""
    found = discopop(make.pairs([math.log(2)], [0.0]), beta=1.0, tau=0.5).item()
    assert found == pytest.approx(math.log(1.5) / 5 + 0.4, abs=1e-12)


def test_golden(discopop, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = discopop(golden_zoo.pairs, beta=0.1, tau=0.05).mean().item()
    assert found == pytest.approx(golden_zoo.values["discopop tau=.05"], abs=1e-13)


def test_trl(discopop, make, golden_zoo):
    """Source: TRL's own `discopop`, executed on each pair."""
    expected = trl_pairs.dpo("discopop", golden_zoo, beta=0.3, discopop_tau=0.7)
    losses = discopop(golden_zoo.pairs, beta=0.3, tau=0.7)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(discopop, make):
    """At the default tau the chosen response is pushed down: the reason of the exemption."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(discopop(batch, beta=0.2), batch)[:, 0].tolist()
    slope = 0.2 * (0.75 - (1 - math.log(2)) / 0.2)
    assert found == pytest.approx([(math.log(2) + 1) / 2, -slope, slope])
    assert found[1] > 0.1


@pytest.mark.parametrize("point", [-0.12, 0.07])
def test_dip_and_hump(discopop, make, point):
    """The gradient turns its sign between a little before and a little after."""
    batch = make.pairs([point - 0.01, point + 0.01], [0.0, 0.0])
    before, after = make.gradient(discopop(batch, beta=1.0), batch.chosen).tolist()
    assert before * after < 0


@pytest.mark.parametrize("wrong", [80.0, 1e4])
def test_clamp(discopop, make, wrong):
    """tau = 2: the exponential is e^(u / 2 - u), clamped at e^30 from u = -60 downwards."""
    found = discopop(make.pairs([-wrong], [0.0]), beta=1.0, tau=2.0).item()
    assert found == pytest.approx(wrong + math.exp(30), rel=1e-14)


@given(margin=st.floats(-20, 20))
def test_without_modulation_it_is_the_mean_of_two_losses(discopop, load, make, margin):
    batch = make.pairs([margin], [0.0])
    halves = (load("dpo")(batch, beta=1.0) + load("gpo_exponential")(batch, beta=1.0)) / 2
    found = discopop(batch, beta=1.0, tau=1e9)
    torch.testing.assert_close(found, halves, rtol=1e-6, atol=1e-6)


def test_defaults(discopop, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(discopop(batch), discopop(batch, beta=0.05, tau=0.05))
