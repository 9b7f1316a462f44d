"""VPO (offline): a hand-worked pair, every slope by hand, and its kinship with RPO and DPO."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def vpo(load):
    return load("vpo")


nats = st.floats(-200, 0)


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """The loss and its slopes at beta = 0.3 and alpha = 0.7, by hand."""
    up, down = chosen - chosen_reference, rejected - rejected_reference
    wrong = 1 / (1 + math.exp(0.3 * (up - down)))
    loss = -math.log(1 - wrong) - 0.7 * 0.3 * up
    return [loss, -0.3 * wrong - 0.7 * 0.3, 0.3 * wrong]


def test_numbers(vpo, make):
    """beta 0.1, alpha 0.5, log-ratios 1 and -0.5: 0.6209571 - 0.5 * 0.1 * 1."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = math.log(1.8607079764250578) - 0.05
    assert vpo(batch, beta=0.1, alpha=0.5).item() == pytest.approx(expected, abs=1e-12)


def test_by_hand(vpo, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = vpo(golden_zoo.pairs, beta=0.3, alpha=0.7)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(vpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(vpo(batch, beta=0.3, alpha=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.3 * (0.5 + 0.2), 0.15])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_pessimism_it_is_dpo(vpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(vpo(batch, beta=beta, alpha=0.0), load("dpo")(batch, beta=beta))


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1), alpha=st.floats(0, 2))
def test_differs_from_rpo_by_what_the_reference_says(
    vpo, load, make, chosen, rejected, beta, alpha
):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    expected = load("rpo")(batch, beta=beta, eta=alpha) + alpha * beta * -30.0
    torch.testing.assert_close(vpo(batch, beta=beta, alpha=alpha), expected)


def test_defaults(vpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(vpo(batch), vpo(batch, beta=0.1, alpha=0.005))
