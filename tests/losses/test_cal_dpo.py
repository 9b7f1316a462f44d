"""Cal-DPO: a golden number, the calibration by hand."""

import math

import pytest
import torch


@pytest.fixture(scope="module")
def cal_dpo(load):
    return load("cal_dpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (9) at beta = 0.2: 1 / (2 beta) = 2.5."""
    up, down = chosen - chosen_reference, rejected - rejected_reference
    return math.log1p(math.exp(down - up)) + (up - 2.5) ** 2 + (down + 2.5) ** 2


def test_losses_and_slopes(cal_dpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = cal_dpo(golden_zoo.pairs, beta=0.2)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(cal_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = cal_dpo(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["cal-dpo paper"], abs=1e-9)


def test_at_the_reference(cal_dpo, make):
    """1 / (2 beta) = 2.5: log 2 + 2 * 6.25; slopes -1/2 - 5 and 1/2 + 5."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(cal_dpo(batch, beta=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 12.5, -5.5, 5.5])


def test_the_level_is_seen(cal_dpo, make):
    """A common shift by 1 from the calibrated pair costs 1 + 1."""
    here = cal_dpo(make.pairs([2.5], [-2.5]), beta=0.2)
    there = cal_dpo(make.pairs([3.5], [-1.5]), beta=0.2)
    assert (there - here).item() == pytest.approx(2.0)
