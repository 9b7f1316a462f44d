"""IPO: a hand-worked pair, a golden number, TRL on log-ratios, and the margin it stops at."""

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def ipo(load):
    return load("ipo")


def test_by_hand(ipo, make):
    """Log-ratios 1 and -0.5, 1 / (2 tau) = 2: (1.5 - 2)^2, and 2 (1.5 - 2) on chosen."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    found = make.with_slopes(ipo(batch, tau=0.25), batch)[:, 0].tolist()
    assert found == pytest.approx([0.25, -1.0, 1.0], abs=1e-12)


def test_golden(ipo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits), the sum form."""
    found = ipo(golden_zoo.pairs, tau=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["ipo_sum(paper)"], abs=1e-12)


def test_trl(ipo, make, golden_zoo):
    """Source: the `ipo` of TRL's CPOTrainer, which takes sums, executed on log-ratios."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    ratios = [(rows[:, side] - rows[:, side + 2]).requires_grad_() for side in (0, 1)]
    expected = trl_losses.cpo("ipo", *ratios, beta=0.07)
    slopes = torch.autograd.grad(expected.sum(), ratios)
    found = make.with_slopes(ipo(golden_zoo.pairs, tau=0.07), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.stack([expected, *slopes]).detach())


def test_defaults(ipo, golden_zoo):
    """Source: TRL's and HALOs' tau; the paper tries several."""
    assert torch.equal(ipo(golden_zoo.pairs), ipo(golden_zoo.pairs, tau=0.1))


@given(tau=st.floats(1e-3, 1))
def test_at_the_reference(ipo, make, tau):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(ipo(batch, tau=tau), batch)[:, 0].tolist()
    assert found == pytest.approx([1 / (4 * tau**2), -1 / tau, 1 / tau])


@given(tau=st.floats(1e-2, 1), beyond=st.floats(-50, 50))
def test_stops_at_its_margin_from_both_sides(ipo, make, tau, beyond):
    """So far below the margin as above it, it costs the same; at the margin nothing."""
    below, above = (make.pairs([1 / (2 * tau) + sign * beyond], [0.0]) for sign in (-1, 1))
    torch.testing.assert_close(ipo(below, tau=tau), ipo(above, tau=tau))
    there = make.pairs([1 / (2 * tau)], [0.0])
    assert make.with_slopes(ipo(there, tau=tau), there).abs().max() < 1e-9


@given(chosen=nats, rejected=nats, shift=st.floats(-100, 0))
def test_blind_to_a_common_shift(ipo, make, chosen, rejected, shift):
    here = ipo(make.pairs([chosen], [rejected]))
    there = ipo(make.pairs([chosen + shift], [rejected + shift]))
    torch.testing.assert_close(here, there)
