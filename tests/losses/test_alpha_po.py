"""AlphaPO: a hand-worked pair, TRL, the clamp of its reward, and SimPO at its end."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def alpha_po(load):
    return load("alpha_po")


nats = st.floats(-60, 0)


def test_by_hand(alpha_po, make):
    """p = 1/4 and 1/9 a token, alpha 1/2: r = -2 and -4; beta 2, gamma 1: log(1 + e^-3)."""
    batch = make.pairs([-5 * math.log(4)], [-5 * math.log(9)])
    found = alpha_po(batch, beta=2.0, gamma=1.0, alpha=0.5).item()
    assert found == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-12)


def test_trl(alpha_po, make, golden_zoo):
    """Source: TRL's own `simpo` with `alpha`, executed on log-probabilities per token."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    chosen, rejected = (rows[:, side].requires_grad_() for side in (0, 1))
    settings = {"beta": 1.5, "simpo_gamma": 0.4, "alpha": 0.2}
    expected = trl_losses.cpo("simpo", chosen / rows[:, 4], rejected / rows[:, 5], **settings)
    slopes = torch.autograd.grad(expected.sum(), (chosen, rejected))
    losses = alpha_po(golden_zoo.pairs, beta=1.5, gamma=0.4, alpha=0.2)
    found = make.with_slopes(losses, golden_zoo.pairs)
    torch.testing.assert_close(found, torch.stack([expected, *slopes]).detach())


@given(policy=nats, reference=nats, gamma=st.floats(0, 3))
def test_at_equal_likelihood_whatever_the_reference(alpha_po, make, policy, reference, gamma):
    """The slope on the chosen side: -beta sigma(gamma) p^-alpha / |y|, with five tokens."""
    batch = make.pairs([policy], [policy], reference, -reference)
    losses = alpha_po(batch, beta=2.0, gamma=gamma, alpha=0.3)
    slope = 2 / (1 + math.exp(-gamma)) * math.exp(-0.3 * policy / 5) / 5
    expected = [math.log(1 + math.exp(gamma)), -slope, slope]
    found = make.with_slopes(losses, batch)[:, 0].tolist()
    assert found == pytest.approx(expected, rel=1e-9)


@given(chosen=nats, rejected=nats)
def test_towards_alpha_zero_it_is_simpo(alpha_po, make, chosen, rejected):
    """Source: Eq. (6), arXiv:2405.14734: -log sigma(beta (p_w - p_l) - gamma), p per token."""
    batch = make.pairs([chosen], [rejected])
    found = alpha_po(batch, beta=2.0, gamma=0.5, alpha=1e-7).item()
    expected = math.log1p(math.exp(-(2.0 * (chosen - rejected) / 5 - 0.5)))
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("below", [60.0, 61.0, 2e3])
def test_clamp(alpha_po, make, below):
    """alpha 1/2: from -60 nats a token downwards the reward is 2 (1 - e^30)."""
    losses = alpha_po(make.pairs([-5 * below], [0.0]), beta=0.3, gamma=0.0, alpha=0.5)
    assert losses.item() == pytest.approx(0.6 * (math.exp(30) - 1), rel=1e-12)
    swapped = alpha_po(make.pairs([0.0], [-5 * below]), beta=1e-13, gamma=0.0, alpha=0.5).item()
    expected = math.log(1 + math.exp(-2e-13 * (math.exp(30) - 1)))
    assert swapped == pytest.approx(expected, rel=1e-9)


def test_defaults(alpha_po, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(alpha_po(batch), alpha_po(batch, beta=2.5, gamma=0.1, alpha=0.25))
