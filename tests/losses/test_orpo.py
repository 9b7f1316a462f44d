"""ORPO: TRL's odds, a golden number, and certainty."""

import math

import pytest
import torch
import trl_losses


@pytest.fixture(scope="module")
def orpo(load):
    return load("orpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eqs. (6) and (7) at lambda = 0.4."""
    up, down = chosen / tokens[0], rejected / tokens[1]
    odds = up - math.log(1 - math.exp(up)) - down + math.log(1 - math.exp(down))
    return -up + 0.4 * math.log1p(math.exp(-odds))


def test_losses_and_slopes(orpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = orpo(golden_zoo.pairs, weight=0.4)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(orpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = orpo(golden_zoo.pairs, weight=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["orpo lambda=.1"], abs=1e-9)


def test_trl(orpo, golden_zoo):
    """Source: TRL's own `odds_ratio_loss`, executed in float32."""
    chosen, rejected = golden_zoo.pairs.chosen, golden_zoo.pairs.rejected
    means = chosen.policy / chosen.tokens, rejected.policy / rejected.tokens
    expected = -means[0] - trl_losses.odds_ratio(*means, beta=0.4).double()
    torch.testing.assert_close(orpo(golden_zoo.pairs, weight=0.4), expected, rtol=1e-6, atol=1e-6)


def test_at_equal_likelihoods(orpo, make):
    batch = make.pairs([-10.0], [-10.0])
    assert orpo(batch, weight=0.1).item() == pytest.approx(2 + 0.1 * math.log(2))


def test_certainty_has_finite_odds(orpo, make):
    """A response of probability 1: odds of 1e6 against those of e^-2."""
    batch = make.pairs([0.0], [-10.0])
    odds = (-1e-6 - math.log(1 - math.exp(-1e-6))) - (-2 - math.log(1 - math.exp(-2)))
    found = make.with_slopes(orpo(batch, weight=0.5), batch)
    assert found[0].item() == pytest.approx(0.5 * math.log1p(math.exp(-odds)), rel=1e-6)
    assert found.isfinite().all()
