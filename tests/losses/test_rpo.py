"""RPO: a hand-worked pair, a golden number, TRL's two terms, and the losses it contains."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def rpo(load):
    return load("rpo")


nats = st.floats(-200, 0)


def test_by_hand(rpo, make):
    """beta 0.1, eta 0.05, log-ratios 1 and -0.5: log(1 + e^-.15) + 0.005 * 10."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = math.log(1.8607079764250578) + 0.05
    assert rpo(batch, beta=0.1, eta=0.05).item() == pytest.approx(expected, abs=1e-12)


def test_golden(rpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits), whose weight 0.005 is eta * beta."""
    found = rpo(golden_zoo.pairs, beta=0.1, eta=0.05).mean().item()
    assert found == pytest.approx(golden_zoo.values["rpo eta=.005 (sum logp)"], abs=1e-13)


def test_trl(rpo, make, golden_zoo):
    """Source: TRL's own `sigmoid`, and its `sft` (a mean per token) times the tokens."""
    found = make.with_slopes(rpo(golden_zoo.pairs, beta=0.3, eta=0.7), golden_zoo.pairs)
    tokens = torch.tensor([row[4] for row in golden_zoo.rows])
    imitation = trl_pairs.dpo("sft", golden_zoo) * tokens
    expected = trl_pairs.dpo("sigmoid", golden_zoo, beta=0.3) + 0.7 * 0.3 * imitation
    torch.testing.assert_close(found, expected)


def test_at_the_reference(rpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(rpo(batch, beta=0.3, eta=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 0.42, -0.3 * (0.5 + 0.2), 0.15])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_its_second_term_it_is_dpo(rpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(rpo(batch, beta=beta, eta=0.0), load("dpo")(batch, beta=beta))


@given(chosen=nats, rejected=nats, shift=st.floats(-100, 0))
def test_sees_a_common_shift_down(rpo, make, chosen, rejected, shift):
    """Unlike DPO: the shift costs beta * eta a nat."""
    here = rpo(make.pairs([chosen], [rejected]), beta=0.1, eta=0.2)
    there = rpo(make.pairs([chosen + shift], [rejected + shift]), beta=0.1, eta=0.2)
    torch.testing.assert_close(there - here, torch.tensor([-0.02 * shift]).double())


def test_defaults(rpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(rpo(batch), rpo(batch, beta=0.01, eta=0.005))
