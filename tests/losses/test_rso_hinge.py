"""RSO's hinge: TRL's own, a golden number, and both sides of the hinge."""

import pytest
import torch
import trl_losses


@pytest.fixture(scope="module")
def rso_hinge(load):
    return load("rso_hinge")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (10) at gamma = 0.2."""
    margin = 0.2 * (chosen - chosen_reference - rejected + rejected_reference)
    return max(0.0, 1.0 - margin)


def test_losses_and_slopes(rso_hinge, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = rso_hinge(golden_zoo.pairs, gamma=0.2)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(rso_hinge, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = rso_hinge(golden_zoo.pairs, gamma=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["hinge"], abs=1e-9)


def test_trl(rso_hinge, golden_zoo):
    """Source: TRL's own `hinge`, executed."""
    expected = trl_losses.dpo("hinge", golden_zoo.policy, golden_zoo.reference, beta=0.3)
    torch.testing.assert_close(rso_hinge(golden_zoo.pairs, gamma=0.3).mean(), expected)


def test_both_sides_of_the_hinge(rso_hinge, make):
    """Log-ratios 2 and -3 at gamma 0.1: 1 - 0.5; 8 and -4: beyond 1 / gamma."""
    batch = make.pairs([2.0, 8.0], [-3.0, -4.0])
    found = make.with_slopes(rso_hinge(batch, gamma=0.1), batch)
    expected = torch.tensor([[0.5, 0.0], [-0.1, 0.0], [0.1, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)
