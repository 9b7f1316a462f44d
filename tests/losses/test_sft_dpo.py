"""SFT-DPO: a hand-worked pair, every slope by hand, and its kinship with RPO and DPO."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sft_dpo(load):
    return load("sft_dpo")


nats = st.floats(-200, 0)


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """The loss and its slopes at beta = 0.3 and weight 0.7, by hand."""
    margin = 0.3 * ((chosen - chosen_reference) - (rejected - rejected_reference))
    wrong = 1 / (1 + math.exp(margin))
    return [-math.log(1 - wrong) - 0.7 * chosen, -0.3 * wrong - 0.7, 0.3 * wrong]


def test_numbers(sft_dpo, make):
    """Log-ratios 1 and -0.5, beta 0.1; -10 nats at weight 0.05: 0.6209571 + 0.5."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = math.log(1.8607079764250578) + 0.5
    assert sft_dpo(batch, beta=0.1, sft_weight=0.05).item() == pytest.approx(expected, abs=1e-12)


def test_by_hand(sft_dpo, make, golden_zoo):
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = sft_dpo(golden_zoo.pairs, beta=0.3, sft_weight=0.7)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(sft_dpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(sft_dpo(batch, beta=0.3, sft_weight=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 1.4, -0.35, 0.15])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-2, 1), weight=st.floats(0, 1))
def test_is_rpo_with_its_weight_in_units_of_beta(
    sft_dpo, load, make, chosen, rejected, beta, weight
):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    expected = load("rpo")(batch, beta=beta, eta=weight / beta)
    torch.testing.assert_close(sft_dpo(batch, beta=beta, sft_weight=weight), expected)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_its_second_term_it_is_dpo(sft_dpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = sft_dpo(batch, beta=beta, sft_weight=0.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta))


def test_defaults(sft_dpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(sft_dpo(batch), sft_dpo(batch, beta=0.1, sft_weight=0.05))
