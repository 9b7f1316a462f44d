"""Constrained PO: the formula by hand, and the loss it becomes."""

import math

import pytest
import torch
import trl_losses


@pytest.fixture(scope="module")
def constrained_po(load):
    return load("constrained_po")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """The loss at beta = 1.7, gamma = 0.2, tau = 3, alpha = 0.5."""
    margin = chosen / tokens[0] - rejected / tokens[1]
    prior = chosen_reference / tokens[0] - rejected_reference / tokens[1]
    addition = math.log1p(math.exp(3.0 * (0.2 - prior))) / (3.0 * 0.5)
    return math.log1p(math.exp(-1.7 * (margin - prior - addition)))


def test_losses_and_slopes(constrained_po, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = constrained_po(golden_zoo.pairs, beta=1.7, gamma=0.2, tau=3.0, alpha=0.5)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_by_hand(constrained_po, make):
    """5 tokens each. Means -2 and -2.4, references -2.2 and -2.3: m = .4, g = .1.

    softplus(2 (.05 - .1)) / 2 = log(1 + e^-.1) / 2 = 0.32220; 2.5 (.4 - .1 - .32220) = -0.05550.
    """
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    addition = math.log1p(math.exp(-0.1)) / 2
    expected = math.log1p(math.exp(-2.5 * (0.3 - addition)))
    assert constrained_po(batch).item() == pytest.approx(expected)
    assert expected == pytest.approx(math.log1p(math.exp(0.0555)), abs=1e-4)


def test_without_the_addition_it_is_length_normalised_dpo(constrained_po, make):
    """alpha without end; 5 tokens each, so beta is a fifth of DPO's."""
    batch = make.pairs([-10.0, -3.0], [-12.0, -9.0], [-11.0, -4.0], [-11.5, -4.0])
    margin = 2.5 / 5 * (batch.chosen.logratio - batch.rejected.logratio)
    expected = torch.log1p(torch.exp(-margin))
    torch.testing.assert_close(constrained_po(batch, alpha=1e12), expected)


def test_trl(constrained_po, golden_zoo):
    """Source: TRL's own `sigmoid_norm`, executed: the loss without the constraint."""
    expected = trl_losses.dpo("sigmoid_norm", golden_zoo.policy, golden_zoo.reference, beta=0.3)
    found = constrained_po(golden_zoo.pairs, beta=0.3, alpha=math.inf).mean()
    torch.testing.assert_close(found, expected)
