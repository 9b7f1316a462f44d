"""Poly-DPO: a hand-worked pair, every slope by hand, and the factor on DPO's gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def poly_dpo(load):
    return load("poly_dpo")


nats = st.floats(-100, 100)


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """The loss and its slopes at beta = 0.3 and alpha = 2, by hand from Eq. (9)."""
    margin = 0.3 * ((chosen - chosen_reference) - (rejected - rejected_reference))
    right = 1 / (1 + math.exp(-margin))
    slope = 0.3 * (1 - right) * (1 + 2 * right)
    return [-math.log(right) + 2 * (1 - right), -slope, slope]


def test_numbers(poly_dpo, make):
    """p = 3/4, alpha = -1/2: log(4/3) - 1/8."""
    found = poly_dpo(make.pairs([math.log(3) / 2], [0.0]), beta=2.0, alpha=-0.5).item()
    assert found == pytest.approx(math.log(4 / 3) - 0.125, abs=1e-12)


def test_by_hand(poly_dpo, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = poly_dpo(golden_zoo.pairs, beta=0.3, alpha=2.0)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(poly_dpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(poly_dpo(batch, beta=0.3, alpha=4.0), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 2, -0.45, 0.45])


@given(chosen=nats, rejected=nats, alpha=st.floats(-1, 10))
def test_gradient_is_that_of_dpo_times_a_factor(poly_dpo, load, make, chosen, rejected, alpha):
    """Source: Eq. (10), arXiv:2604.24953v1: the factor is 1 + alpha p."""
    batch = make.pairs([chosen], [rejected])
    plain = make.gradient(load("dpo")(batch, beta=0.2), batch.chosen)
    right = torch.tensor([0.2 * (chosen - rejected)]).double().sigmoid()
    found = make.gradient(poly_dpo(batch, beta=0.2, alpha=alpha), batch.chosen)
    torch.testing.assert_close(found, plain * (1 + alpha * right), rtol=1e-6, atol=1e-9)


@given(chosen=nats, rejected=nats)
def test_without_its_term_it_is_dpo(poly_dpo, load, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    torch.testing.assert_close(poly_dpo(batch, alpha=0.0), load("dpo")(batch))


def test_defaults(poly_dpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(poly_dpo(batch), poly_dpo(batch, beta=0.1, alpha=8.0))
