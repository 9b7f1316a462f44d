"""Robust DPO: TRL's own, a golden number, and what it estimates."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def robust_dpo(load):
    return load("robust_dpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (12) at beta = 0.3, epsilon = 0.2."""
    margin = 0.3 * (chosen - chosen_reference - rejected + rejected_reference)
    kept, flipped = math.log1p(math.exp(-margin)), math.log1p(math.exp(margin))
    return (0.8 * kept - 0.2 * flipped) / 0.6


def test_losses_and_slopes(robust_dpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = robust_dpo(golden_zoo.pairs, beta=0.3, epsilon=0.2)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(robust_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = robust_dpo(golden_zoo.pairs, beta=0.1, epsilon=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["robust eps=.1"], abs=1e-9)


def test_trl(robust_dpo, golden_zoo):
    """Source: TRL's own `robust`, executed."""
    expected = trl_losses.dpo(
        "robust", golden_zoo.policy, golden_zoo.reference, beta=0.3, label_smoothing=0.2
    )
    torch.testing.assert_close(robust_dpo(golden_zoo.pairs, beta=0.3, epsilon=0.2).mean(), expected)


@given(chosen=nats, rejected=nats, epsilon=st.floats(0, 0.45))
def test_the_mean_over_flipped_labels_is_dpo(robust_dpo, load, make, chosen, rejected, epsilon):
    """Source: the paper's own demand on the loss, unbiasedness, section 3."""
    there = robust_dpo(make.pairs([chosen], [rejected]), beta=0.1, epsilon=epsilon)
    back = robust_dpo(make.pairs([rejected], [chosen]), beta=0.1, epsilon=epsilon)
    mean = (1 - epsilon) * there + epsilon * back
    expected = load("dpo")(make.pairs([chosen], [rejected]), beta=0.1)
    torch.testing.assert_close(mean, expected, rtol=1e-7, atol=1e-7)
