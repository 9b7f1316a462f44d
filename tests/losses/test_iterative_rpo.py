"""Iterative RPO: a hand-worked pair, TRL's two terms, and the length in its likelihood."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def iterative_rpo(load):
    return load("iterative_rpo")


nats = st.floats(-200, 0)


def test_by_hand(iterative_rpo, make):
    """Log-ratios 1 and -0.5, beta 0.1; -10 nats over 5 tokens, alpha 0.5: 0.6209571 + 0.5 * 2."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = math.log(1.8607079764250578) + 1.0
    assert iterative_rpo(batch, beta=0.1, alpha=0.5).item() == pytest.approx(expected, abs=1e-12)


def test_trl(iterative_rpo, make, golden_zoo):
    """Source: TRL's own `sigmoid` plus weight times its `sft`, on each pair alone."""
    losses = iterative_rpo(golden_zoo.pairs, beta=0.3, alpha=0.7)
    preference = trl_pairs.dpo("sigmoid", golden_zoo, beta=0.3)
    expected = preference + 0.7 * trl_pairs.dpo("sft", golden_zoo)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(iterative_rpo, make):
    """Five tokens in each response."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(iterative_rpo(batch, beta=0.3, alpha=0.5), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) + 0.7, -0.15 - 0.1, 0.15])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_its_second_term_it_is_dpo(iterative_rpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = iterative_rpo(batch, beta=beta, alpha=0.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta))


@given(chosen=nats, rejected=nats, beta=st.floats(1e-2, 1))
def test_on_one_length_it_is_rpo(iterative_rpo, load, make, chosen, rejected, beta):
    """alpha / |y_w| = eta beta, with five tokens."""
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = iterative_rpo(batch, beta=beta, alpha=0.5)
    torch.testing.assert_close(found, load("rpo")(batch, beta=beta, eta=0.1 / beta))


def test_defaults(iterative_rpo, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(iterative_rpo(batch), iterative_rpo(batch, beta=0.1, alpha=1.0))
