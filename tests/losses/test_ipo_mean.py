"""IPO per token: a hand-worked pair, a golden number, TRL, and what length does to it."""

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Pairs

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def ipo_mean(load):
    return load("ipo_mean")


def test_by_hand(ipo_mean, make):
    """1 nat over 5 tokens and -0.5 over 5, 1 / (2 tau) = 2: (-1.7)^2, slope 2 * -1.7 / 5."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    found = make.with_slopes(ipo_mean(batch, tau=0.25), batch)[:, 0].tolist()
    assert found == pytest.approx([2.89, -0.68, 0.68], abs=1e-12)


def test_golden(ipo_mean, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits), the length-normalised form."""
    found = ipo_mean(golden_zoo.pairs, tau=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["ipo_lennorm(TRL)"], abs=1e-12)


def test_trl(ipo_mean, make, golden_zoo):
    """Source: TRL's own `ipo`, executed on each pair; a token's slope is its response's."""
    batch = golden_zoo.pairs
    expected = trl_pairs.dpo("ipo", golden_zoo, beta=0.4)
    torch.testing.assert_close(make.with_slopes(ipo_mean(batch, tau=0.4), batch), expected)


def test_defaults(ipo_mean, golden_zoo):
    """Source: TRL's and HALOs' tau."""
    assert torch.equal(ipo_mean(golden_zoo.pairs), ipo_mean(golden_zoo.pairs, tau=0.1))


@given(tau=st.floats(1e-3, 1))
def test_at_the_reference(ipo_mean, make, tau):
    """Five tokens in each response."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(ipo_mean(batch, tau=tau), batch)[:, 0].tolist()
    assert found == pytest.approx([1 / (4 * tau**2), -1 / (5 * tau), 1 / (5 * tau)])


@given(chosen=nats, rejected=nats, tau=st.floats(1e-2, 1))
def test_on_one_length_it_is_ipo(ipo_mean, load, make, chosen, rejected, tau):
    """Five tokens: the same margin in sums is five times as wide, and its square 25 times."""
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = ipo_mean(batch, tau=tau)
    torch.testing.assert_close(found, load("ipo")(batch, tau=tau / 5) / 25)


@given(ratio=st.floats(-20, 20), tokens=st.integers(1, 50), times=st.integers(1, 20))
def test_a_response_repeated_is_the_same(ipo_mean, ratio, tokens, times):
    """As many times the tokens with as many times the log-ratio change nothing."""

    def column(scale: int) -> Completions:
        reference = {"reference": torch.zeros(1)}
        return Completions(torch.tensor([scale * ratio]), torch.tensor([scale * tokens]), reference)

    once, often = column(1), column(times)
    expected = ipo_mean(Pairs(once, column(2)))
    torch.testing.assert_close(ipo_mean(Pairs(often, once)), expected)
