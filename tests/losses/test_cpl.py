"""CPL: a hand-worked pair, every slope by hand, DPO at bias 1, and nothing of a reference."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def cpl(load):
    return load("cpl")


nats = st.floats(-200, 0)


def by_hand(chosen, rejected, *_) -> list[float]:
    """The loss and its slopes at alpha = 0.03 and bias 0.7, by hand."""
    wrong = 1 / (1 + math.exp(0.03 * chosen - 0.7 * 0.03 * rejected))
    return [-math.log(1 - wrong), -0.03 * wrong, 0.7 * 0.03 * wrong]


def test_numbers(cpl, make):
    """alpha 0.1, bias 0.5, -10 and -12 nats: log(1 + e^(1 - 0.6))."""
    found = cpl(make.pairs([-10.0], [-12.0]), alpha=0.1, bias=0.5).item()
    assert found == pytest.approx(math.log(1 + math.exp(0.4)), abs=1e-12)


def test_by_hand(cpl, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = cpl(golden_zoo.pairs, alpha=0.03, bias=0.7)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_equal_likelihood(cpl, make):
    """Both at -10 nats, alpha 0.2, bias 0.5: p = sigma(-1)."""
    batch = make.pairs([-10.0], [-10.0], -3.0, -4.0)
    found = make.with_slopes(cpl(batch, alpha=0.2, bias=0.5), batch)[:, 0].tolist()
    wrong = 1 / (1 + math.exp(-1))
    assert found == pytest.approx([math.log(1 + math.e), -0.2 * wrong, 0.1 * wrong])


@given(chosen=nats, rejected=nats, alpha=st.floats(1e-3, 1))
def test_unbiased_it_is_dpo_with_a_constant_reference(cpl, load, make, chosen, rejected, alpha):
    batch = make.pairs([chosen], [rejected])
    torch.testing.assert_close(cpl(batch, alpha=alpha, bias=1.0), load("dpo")(batch, beta=alpha))


@given(chosen=nats, rejected=nats, shift=st.floats(-100, -1))
def test_biased_it_sees_a_common_shift_down(cpl, make, chosen, rejected, shift):
    here = cpl(make.pairs([chosen], [rejected]), bias=0.5)
    there = cpl(make.pairs([chosen + shift], [rejected + shift]), bias=0.5)
    assert there.item() > here.item()


def test_defaults(cpl, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(cpl(batch), cpl(batch, alpha=0.1, bias=0.5))
