"""SimPO: a hand-worked pair, a golden number, TRL, and that it has no reference but a length."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def simpo(load):
    return load("simpo")


def test_by_hand(simpo, make):
    """-10 and -15 nats over 5 tokens, beta 2, gamma 0.5: log(1 + e^-(2 * 1 - 0.5))."""
    batch = make.pairs([-10.0], [-15.0])
    expected = math.log(1 + math.exp(-1.5))
    assert simpo(batch, beta=2.0, gamma=0.5).item() == pytest.approx(expected, abs=1e-12)


def test_golden(simpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = simpo(golden_zoo.pairs, beta=2.0, gamma=1.0).mean().item()
    assert found == pytest.approx(golden_zoo.values["simpo beta=2 gamma=1"], abs=1e-13)


def test_trl(simpo, make, golden_zoo):
    """Source: TRL's own `simpo`, executed on log-probabilities per token."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    chosen, rejected = (rows[:, side].requires_grad_() for side in (0, 1))
    means = chosen / rows[:, 4], rejected / rows[:, 5]
    expected = trl_losses.cpo("simpo", *means, beta=1.5, simpo_gamma=0.4)
    slopes = torch.autograd.grad(expected.sum(), (chosen, rejected))
    found = make.with_slopes(simpo(golden_zoo.pairs, beta=1.5, gamma=0.4), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.stack([expected, *slopes]).detach())


def test_defaults(simpo, golden_zoo):
    """Source: the authors' llama-3-8b-base-simpo.yaml: beta 2, gamma / beta 0.5."""
    assert torch.equal(simpo(golden_zoo.pairs), simpo(golden_zoo.pairs, beta=2.0, gamma=2.0 * 0.5))


@given(policy=nats, reference=nats, beta=st.floats(0.1, 10), gamma=st.floats(0, 5))
def test_at_equal_likelihood_whatever_the_reference(simpo, make, policy, reference, beta, gamma):
    """Five tokens in each response."""
    batch = make.pairs([policy], [policy], reference, -reference)
    found = make.with_slopes(simpo(batch, beta=beta, gamma=gamma), batch)[:, 0].tolist()
    slope = beta / (1 + math.exp(-gamma)) / 5
    assert found == pytest.approx([math.log(1 + math.exp(gamma)), -slope, slope])


@given(chosen=nats, rejected=nats, beta=st.floats(0.1, 10))
def test_on_one_length_without_margin_it_is_dpo(simpo, load, make, chosen, rejected, beta):
    """Where the reference finds both responses equally likely; five tokens."""
    batch = make.pairs([chosen], [rejected], -30.0, -30.0)
    found = simpo(batch, beta=beta, gamma=0.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta / 5))
