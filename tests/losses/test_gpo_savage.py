"""GPO with Savage's loss: hand-worked pairs, its steepest point, and a symmetry."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def gpo_savage(load):
    return load("gpo_savage")


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """1 / (1 + e^u)^2 and its slopes -/+ 2 beta e^u / (1 + e^u)^3 at beta = 0.3, by hand."""
    odds = math.exp(0.3 * ((chosen - chosen_reference) - (rejected - rejected_reference)))
    slope = 2 * 0.3 * odds / (1 + odds) ** 3
    return [1 / (1 + odds) ** 2, -slope, slope]


def test_numbers(gpo_savage, make):
    """u = log 2 and -log 3: 1/9 and 9/16."""
    batch = make.pairs([math.log(2) / 2, 0.0], [0.0, math.log(3) / 2])
    found = gpo_savage(batch, beta=2.0).tolist()
    assert found == pytest.approx([1 / 9, 9 / 16], abs=1e-12)


def test_by_hand(gpo_savage, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = gpo_savage(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(gpo_savage, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(gpo_savage(batch, beta=0.4), batch)[:, 0].tolist()
    assert found == pytest.approx([0.25, -0.1, 0.1])


@given(margin=st.floats(-20, 20))
def test_steepest_at_a_slightly_wrong_pair(gpo_savage, make, margin):
    """By hand: the slope 2 e^u / (1 + e^u)^3 is largest, 8/27, at u = -log 2."""
    batch = make.pairs([-math.log(2), margin], [0.0, 0.0])
    steepest, other = make.gradient(gpo_savage(batch, beta=1.0), batch.chosen).tolist()
    assert steepest == pytest.approx(-8 / 27)
    assert other >= steepest - 1e-12


@given(chosen=st.floats(-30, 30), rejected=st.floats(-30, 30))
def test_roots_of_a_pair_and_its_swap_add_to_one(gpo_savage, make, chosen, rejected):
    here = gpo_savage(make.pairs([chosen], [rejected])).item()
    there = gpo_savage(make.pairs([rejected], [chosen])).item()
    assert math.sqrt(here) + math.sqrt(there) == pytest.approx(1.0)


def test_default(gpo_savage, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(gpo_savage(batch), gpo_savage(batch, beta=0.1))
