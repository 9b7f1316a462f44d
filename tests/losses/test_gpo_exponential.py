"""GPO with the exponential: hand-worked pairs, DPO at its right end, and its clamp."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def gpo_exponential(load):
    return load("gpo_exponential")


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """e^(-u) and its slopes at beta = 0.3, by hand."""
    loss = math.exp(-0.3 * ((chosen - chosen_reference) - (rejected - rejected_reference)))
    return [loss, -0.3 * loss, 0.3 * loss]


def test_numbers(gpo_exponential, make):
    """u = log 2 and -log 3: 1/2 and 3."""
    batch = make.pairs([math.log(2) / 2, 0.0], [0.0, math.log(3) / 2])
    assert gpo_exponential(batch, beta=2.0).tolist() == pytest.approx([0.5, 3.0], abs=1e-12)


def test_by_hand(gpo_exponential, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = gpo_exponential(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(gpo_exponential, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(gpo_exponential(batch, beta=0.3), batch)[:, 0].tolist()
    assert found == pytest.approx([1.0, -0.3, 0.3])


@pytest.mark.parametrize("wrong", [30.0, 31.0, 1e4])
def test_clamp(gpo_exponential, make, wrong):
    found = gpo_exponential(make.pairs([-wrong], [0.0]), beta=1.0).item()
    assert found == pytest.approx(math.exp(30), rel=1e-14)


@given(margin=st.floats(8, 100))
def test_on_right_pairs_it_is_dpo(gpo_exponential, load, make, margin):
    """log(1 + e^-u) = e^-u up to e^-2u / 2."""
    batch = make.pairs([margin], [0.0])
    found = gpo_exponential(batch, beta=1.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=1.0), rtol=1e-3, atol=0)


@given(chosen=st.floats(-10, 10), rejected=st.floats(-10, 10))
def test_swapping_inverts(gpo_exponential, make, chosen, rejected):
    here = gpo_exponential(make.pairs([chosen], [rejected])).item()
    there = gpo_exponential(make.pairs([rejected], [chosen])).item()
    assert here * there == pytest.approx(1.0)


def test_default(gpo_exponential, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(gpo_exponential(batch), gpo_exponential(batch, beta=0.1))
