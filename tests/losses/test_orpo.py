"""ORPO: a hand-worked pair, a golden number, TRL's odds ratio, and a response that is certain."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, -1e-3)


@pytest.fixture(scope="module")
def orpo(load):
    return load("orpo")


def test_by_hand(orpo, make):
    """P = 1/2 and 1/4 a token: odds 1 and 1/3, sigma(log 3) = 3/4; lambda 0.2.

    d log odds / d log P = 1 / (1 - P), which is 2 and 4/3; five tokens share each slope.
    """
    batch = make.pairs([-5 * math.log(2)], [-5 * math.log(4)])
    expected = [
        math.log(2) + 0.2 * math.log(4 / 3),
        (-1 - 0.2 * (1 / 4) * 2) / 5,
        0.2 * (1 / 4) * (4 / 3) / 5,
    ]
    found = make.with_slopes(orpo(batch, weight=0.2), batch)[:, 0].tolist()
    assert found == pytest.approx(expected, abs=1e-12)


def test_golden(orpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = orpo(golden_zoo.pairs, weight=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["orpo lambda=.1"], abs=1e-12)


def test_trl(orpo, make, golden_zoo):
    """Source: the odds ratio of TRL's ORPOTrainer, executed in its float32, and the likelihood."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    chosen, rejected = (rows[:, side].requires_grad_() for side in (0, 1))
    means = chosen / rows[:, 4], rejected / rows[:, 5]
    expected = -means[0] - trl_losses.odds_ratio(*means, beta=0.7)
    slopes = torch.autograd.grad(expected.sum(), (chosen, rejected))
    found = make.with_slopes(orpo(golden_zoo.pairs, weight=0.7), golden_zoo.pairs)
    expected = torch.stack([expected, *slopes]).detach()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_defaults(orpo, golden_zoo):
    """Source: table 7 of the paper, by TRL's paper index."""
    assert torch.equal(orpo(golden_zoo.pairs), orpo(golden_zoo.pairs, weight=0.1))


@given(policy=nats, reference=nats, weight=st.floats(0, 2))
def test_at_equal_likelihood_whatever_the_reference(orpo, make, policy, reference, weight):
    losses = orpo(make.pairs([policy], [policy], reference, -reference), weight=weight)
    assert losses.item() == pytest.approx(weight * math.log(2) - policy / 5)


@given(chosen=nats, rejected=nats)
def test_without_odds_it_is_supervised(orpo, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    found = make.with_slopes(orpo(batch, weight=0.0), batch)[:, 0].tolist()
    assert found == pytest.approx([-chosen / 5, -1 / 5, 0])


@pytest.mark.parametrize("certain", [0.0, -1e-9, -5e-6])
def test_a_certain_response_has_the_odds_of_the_clamp(orpo, make, certain):
    """Odds (1 - 1e-6) / 1e-6 against 1 to 3; beyond the clamp, no slope from the odds."""
    odds = math.log(math.exp(-1e-6) / -math.expm1(-1e-6) * 3)
    batch = make.pairs([certain], [-5 * math.log(4)])
    found = make.with_slopes(orpo(batch, weight=1.0), batch)[:, 0].tolist()
    assert found[0] == pytest.approx(math.log1p(math.exp(-odds)) - certain / 5, rel=1e-6, abs=1e-15)
    assert found[1] == pytest.approx(-1 / 5, rel=1e-6) or certain == -5e-6
    swapped = make.pairs([-5 * math.log(4)], [certain])
    loss = orpo(swapped, weight=1.0)
    assert loss.item() == pytest.approx(math.log(4) + math.log1p(math.exp(odds)), rel=1e-9)
    assert make.gradient(loss, swapped.rejected).isfinite().all()
