"""SLiC-HF: both sides of the hinge by hand, a golden number."""

import pytest
import torch


@pytest.fixture(scope="module")
def slic_hf(load):
    return load("slic_hf")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (1) at delta = 7, lambda = 0.3; one of the three pairs is over the margin."""
    return max(0.0, 7.0 - chosen + rejected) - 0.3 * chosen


def test_losses_and_slopes(slic_hf, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = slic_hf(golden_zoo.pairs, delta=7.0, weight=0.3)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(slic_hf, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = slic_hf(golden_zoo.pairs, delta=1.0, weight=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["slic delta=1 lambda=.1"], abs=1e-9)


def test_both_sides_of_the_hinge(slic_hf, make):
    """Margin 2 of 3 wanted: 1 + 0.1 * 10; margin 4: 0.1 * 10 alone."""
    batch = make.pairs([-10.0, -10.0], [-12.0, -14.0])
    found = make.with_slopes(slic_hf(batch, delta=3.0, weight=0.1), batch)
    expected = torch.tensor([[2.0, 1.0], [-1.1, -0.1], [1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)
