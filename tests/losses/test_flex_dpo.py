"""Flex-DPO: a hand-worked pair, every slope by hand, and DPO where its betas agree."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def flex_dpo(load):
    return load("flex_dpo")


nats = st.floats(-200, 0)


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """The loss and its slopes at betas 0.3 and 0.2, by hand."""
    margin = 0.3 * (chosen - chosen_reference) - 0.2 * (rejected - rejected_reference)
    wrong = 1 / (1 + math.exp(margin))
    return [-math.log(1 - wrong), -0.3 * wrong, 0.2 * wrong]


def test_numbers(flex_dpo, make):
    """Log-ratios 1 and -0.5: log(1 + e^-(0.1 + 0.04))."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    found = flex_dpo(batch, beta_chosen=0.1, beta_rejected=0.08).item()
    assert found == pytest.approx(math.log(1 + math.exp(-0.14)), abs=1e-12)


def test_by_hand(flex_dpo, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = flex_dpo(golden_zoo.pairs, beta_chosen=0.3, beta_rejected=0.2)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(flex_dpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    losses = flex_dpo(batch, beta_chosen=0.3, beta_rejected=0.2)
    found = make.with_slopes(losses, batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.15, 0.1])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_equal_betas_are_dpo(flex_dpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = flex_dpo(batch, beta_chosen=beta, beta_rejected=beta)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta))


@given(chosen=nats, rejected=nats, shift=st.floats(-100, -1))
def test_sees_a_common_shift_down(flex_dpo, make, chosen, rejected, shift):
    """Unlike DPO: with the chosen side's beta larger, the pair shifted down costs more."""
    here = flex_dpo(make.pairs([chosen], [rejected]))
    there = flex_dpo(make.pairs([chosen + shift], [rejected + shift]))
    assert there.item() > here.item()


def test_defaults(flex_dpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(flex_dpo(batch), flex_dpo(batch, beta_chosen=0.1, beta_rejected=0.08))
