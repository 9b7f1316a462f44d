"""SimPO: TRL's own, a golden number, and what the margin asks for."""

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


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (6) at beta = 1.5, gamma = 0.7."""
    margin = 1.5 * (chosen / tokens[0] - rejected / tokens[1]) - 0.7
    return math.log1p(math.exp(-margin))


def test_losses_and_slopes(simpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = simpo(golden_zoo.pairs, beta=1.5, gamma=0.7)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(simpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = simpo(golden_zoo.pairs, beta=2.0, gamma=1.0).mean().item()
    assert found == pytest.approx(golden_zoo.values["simpo beta=2 gamma=1"], abs=1e-9)


def test_trl(simpo, golden_zoo):
    """Source: TRL's own `simpo` of CPOTrainer, executed on means per token."""
    chosen, rejected = golden_zoo.pairs.chosen, golden_zoo.pairs.rejected
    means = chosen.policy / chosen.tokens, rejected.policy / rejected.tokens
    expected = trl_losses.cpo("simpo", *means, beta=1.5, simpo_gamma=0.7)
    torch.testing.assert_close(simpo(golden_zoo.pairs, beta=1.5, gamma=0.7), expected)


def test_at_equal_likelihoods(simpo, make):
    """5 tokens each: -log sigma(-1), and slopes of 2 sigma(1) / 5."""
    batch = make.pairs([-7.0], [-7.0])
    slope = 2 / (1 + math.exp(-1)) / 5
    found = make.with_slopes(simpo(batch, beta=2.0, gamma=1.0), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log1p(math.e), -slope, slope])


@given(chosen=nats, rejected=nats, shift=st.floats(-50, 0))
def test_blind_to_a_common_shift_at_equal_lengths(simpo, make, chosen, rejected, shift):
    here = simpo(make.pairs([chosen], [rejected]))
    torch.testing.assert_close(here, simpo(make.pairs([chosen + shift], [rejected + shift])))
