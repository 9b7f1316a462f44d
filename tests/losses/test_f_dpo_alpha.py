"""f-DPO under an alpha-divergence: by hand, golden, TRL, and the divergences at its ends."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def f_dpo_alpha(load):
    return load("f_dpo_alpha")


ratios = st.floats(-5, 5)


def test_by_hand(f_dpo_alpha, make):
    """u = 4 and 1/4, alpha 1/2: f' = 2 (1 - 1/2) = 1 and 2 (1 - 2) = -2; beta 2: log(1 + e^-6)."""
    batch = make.pairs([math.log(4)], [-math.log(4)])
    found = f_dpo_alpha(batch, beta=2.0, alpha=0.5).item()
    assert found == pytest.approx(math.log(1 + math.exp(-6)), abs=1e-12)


def test_golden(f_dpo_alpha, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = f_dpo_alpha(golden_zoo.pairs, beta=0.1, alpha=0.5).mean().item()
    assert found == pytest.approx(golden_zoo.values["fDPO alpha=.5"], abs=1e-13)


def test_trl(f_dpo_alpha, make, golden_zoo):
    """Source: TRL's own `alpha_divergence` on each pair, in float32; it takes 1 - alpha."""
    kind = {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 0.7}
    expected = trl_pairs.dpo("sigmoid", golden_zoo, torch.float32, beta=0.2, **kind)
    losses = f_dpo_alpha(golden_zoo.pairs, beta=0.2, alpha=0.3)
    found = make.with_slopes(losses, golden_zoo.pairs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_at_the_reference(f_dpo_alpha, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(f_dpo_alpha(batch, beta=0.3, alpha=0.7), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.15, 0.15])


@pytest.mark.parametrize("below", [60.0, 61.0, 1e4])
def test_clamp(f_dpo_alpha, make, below):
    """alpha 1/2: from a log-ratio of -60 downwards the score is 2 (1 - e^30)."""
    losses = f_dpo_alpha(make.pairs([-below], [0.0]), beta=0.3, alpha=0.5)
    assert losses.item() == pytest.approx(0.6 * (math.exp(30) - 1), rel=1e-12)
    swapped = f_dpo_alpha(make.pairs([0.0], [-below]), beta=1e-13, alpha=0.5).item()
    expected = math.log(1 + math.exp(-2e-13 * (math.exp(30) - 1)))
    assert swapped == pytest.approx(expected, rel=1e-9)


@given(chosen=ratios, rejected=ratios)
def test_its_ends_are_dpo_and_forward_kl(f_dpo_alpha, load, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    low, high = f_dpo_alpha(batch, alpha=1e-6), f_dpo_alpha(batch, alpha=1.0)
    torch.testing.assert_close(low, load("dpo")(batch), rtol=0, atol=1e-5)
    torch.testing.assert_close(high, load("f_dpo_forward_kl")(batch))


def test_defaults(f_dpo_alpha, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(f_dpo_alpha(batch), f_dpo_alpha(batch, beta=0.1, alpha=0.5))
