"""IPO: a hand-worked pair, a golden number, and the margin at which it rests."""

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def ipo(load):
    return load("ipo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (17) at tau = 0.3."""
    return (chosen - chosen_reference - rejected + rejected_reference - 1 / 0.6) ** 2


def test_losses_and_slopes(ipo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = ipo(golden_zoo.pairs, tau=0.3)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(ipo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = ipo(golden_zoo.pairs, tau=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["ipo_sum(paper)"], abs=1e-9)


def test_trl(ipo, golden_zoo):
    """Source: TRL's own `ipo` of CPOTrainer, executed on log-ratios; DPOTrainer's is `ipo_mean`."""
    ratios = golden_zoo.pairs.chosen.logratio, golden_zoo.pairs.rejected.logratio
    expected = trl_losses.cpo("ipo", *ratios, beta=0.3)
    torch.testing.assert_close(ipo(golden_zoo.pairs, tau=0.3), expected)


def test_at_the_reference(ipo, make):
    """1 / (2 tau) = 2.5: the square, and slopes of 2 * 2.5."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(ipo(batch, tau=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([6.25, -5.0, 5.0])


@given(chosen=nats, shift=st.floats(-50, 50), tau=st.floats(0.01, 2))
def test_rests_at_its_margin_whatever_the_level(ipo, make, chosen, shift, tau):
    batch = make.pairs([chosen + shift], [chosen + shift - 1 / (2 * tau)])
    found = make.with_slopes(ipo(batch, tau=tau), batch)
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-8, rtol=0)
