"""SPPO (hard): a hand-worked pair, a golden number, TRL, and its optimum."""

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sppo_hard(load):
    return load("sppo_hard")


def test_by_hand(sppo_hard, make):
    """Log-ratios 1 and -0.5, 1 / (2 beta) = 2: (1 - 2)^2 + (-0.5 + 2)^2."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    assert sppo_hard(batch, beta=0.25).item() == pytest.approx(3.25, abs=1e-12)


def test_golden(sppo_hard, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = sppo_hard(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["sppo_hard"], abs=1e-12)


def test_trl(sppo_hard, make, golden_zoo):
    """Source: TRL's own `sppo_hard`, executed on each pair."""
    expected = trl_pairs.dpo("sppo_hard", golden_zoo, beta=0.03)
    losses = sppo_hard(golden_zoo.pairs, beta=0.03)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(sppo_hard, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(sppo_hard(batch, beta=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([12.5, -5.0, 5.0])


@given(beta=st.floats(1e-3, 1))
def test_optimum(sppo_hard, make, beta):
    """Both responses at half of eta from the reference: nothing left to lose, no gradient."""
    batch = make.pairs([1 / (2 * beta)], [-1 / (2 * beta)])
    assert make.with_slopes(sppo_hard(batch, beta=beta), batch).abs().max() < 1e-9


@given(chosen=st.floats(-50, 50), rejected=st.floats(-50, 50), beta=st.floats(0.01, 1))
def test_swapping_turns_the_signs(sppo_hard, make, chosen, rejected, beta):
    here = sppo_hard(make.pairs([chosen], [rejected]), beta=beta)
    there = sppo_hard(make.pairs([-rejected], [-chosen]), beta=beta)
    torch.testing.assert_close(here, there)


def test_default(sppo_hard, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(sppo_hard(batch), sppo_hard(batch, beta=0.001))
