"""Contrastive PO: TRL's own, a golden number, equal likelihoods."""

import math

import pytest
import torch
import trl_losses


@pytest.fixture(scope="module")
def cpo(load):
    return load("cpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (5) at beta = 0.3, alpha = 0.7."""
    return math.log1p(math.exp(-0.3 * (chosen - rejected))) - 0.7 * chosen / tokens[0]


def test_losses_and_slopes(cpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = cpo(golden_zoo.pairs, beta=0.3, alpha=0.7)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(cpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = cpo(golden_zoo.pairs, beta=0.1, alpha=1.0).mean().item()
    assert found == pytest.approx(golden_zoo.values["cpo beta,+nll(token mean per seq)"], abs=1e-9)


def test_trl(cpo, golden_zoo):
    """Source: TRL's own `sigmoid` of CPOTrainer, executed; it has no likelihood."""
    chosen, rejected = golden_zoo.pairs.chosen.policy, golden_zoo.pairs.rejected.policy
    expected = trl_losses.cpo("sigmoid", chosen, rejected, beta=0.3)
    torch.testing.assert_close(cpo(golden_zoo.pairs, beta=0.3, alpha=0.0), expected)


def test_at_equal_likelihoods(cpo, make):
    """log 2 + 0.5 * 10 / 5; slopes -0.15 - 0.5 / 5 and 0.15."""
    batch = make.pairs([-10.0], [-10.0])
    found = make.with_slopes(cpo(batch, beta=0.3, alpha=0.5), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 1, -0.25, 0.15])
