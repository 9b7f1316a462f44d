"""IPO per token: TRL's own, a golden number, and the sum form where tokens are one."""

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def ipo_mean(load):
    return load("ipo_mean")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (17) on log-ratios per token, at tau = 0.3."""
    up = (chosen - chosen_reference) / tokens[0]
    down = (rejected - rejected_reference) / tokens[1]
    return (up - down - 1 / 0.6) ** 2


def test_losses_and_slopes(ipo_mean, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = ipo_mean(golden_zoo.pairs, tau=0.3)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(ipo_mean, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = ipo_mean(golden_zoo.pairs, tau=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["ipo_lennorm(TRL)"], abs=1e-9)


def test_trl(ipo_mean, golden_zoo):
    """Source: TRL's own `ipo`, executed."""
    expected = trl_losses.dpo("ipo", golden_zoo.policy, golden_zoo.reference, beta=0.3)
    torch.testing.assert_close(ipo_mean(golden_zoo.pairs, tau=0.3).mean(), expected)


def test_at_the_reference(ipo_mean, make):
    """5 tokens each, 1 / (2 tau) = 2.5: slopes of 2 * 2.5 / 5."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(ipo_mean(batch, tau=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([6.25, -1.0, 1.0])


@given(chosen=nats, rejected=nats, tau=st.floats(0.01, 2))
def test_is_the_sum_form_at_a_fifth_of_the_log_ratios(ipo_mean, load, make, chosen, rejected, tau):
    """Five tokens on both sides."""
    here = ipo_mean(make.pairs([chosen], [rejected]), tau=tau)
    torch.testing.assert_close(here, load("ipo")(make.pairs([chosen / 5], [rejected / 5]), tau=tau))
