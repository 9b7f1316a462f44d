"""Constrained PO: hand-worked batches, TRL's per-token DPO at one end, Hybrid-DPO at another."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def constrained_po(load):
    return load("constrained_po")


def test_by_hand(constrained_po, make):
    """-10 and -15 nats over 5 tokens, the reference -11 and -10.5, so d = 1 and d_ref = -0.1.

    gamma 0.3, tau 2: s = log(1 + e^(2 * 0.4)) / 2; alpha 4, beta 1.5: u = 1.5 (1 + 0.1 - s / 4).
    """
    batch = make.pairs([-10.0], [-15.0], [-11.0], [-10.5])
    shortfall = math.log(1 + math.exp(0.8)) / 2
    margin = 1.5 * (1.1 - shortfall / 4)
    slope = 1.5 / (1 + math.exp(margin)) / 5
    losses = constrained_po(batch, beta=1.5, gamma=0.3, tau=2.0, alpha=4.0)
    found = make.with_slopes(losses, batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(1 + math.exp(-margin)), -slope, slope], abs=1e-12)


def test_every_pair_by_hand(constrained_po, make, golden_zoo):
    """Lengths differ: the formula of the authors' `cpo_loss` written out with `math`."""
    beta, gamma, tau, alpha = 1.7, 0.2, 3.0, 0.6
    expected = []
    for (
        chosen,
        rejected,
        chosen_ref,
        rejected_ref,
        chosen_length,
        rejected_length,
    ) in golden_zoo.rows:
        margin = chosen / chosen_length - rejected / rejected_length
        reference = chosen_ref / chosen_length - rejected_ref / rejected_length
        shortfall = math.log(1 + math.exp(tau * (gamma - reference))) / tau
        u = beta * margin - beta * reference - beta / alpha * shortfall
        slope = beta / (1 + math.exp(u))
        loss = math.log(1 + math.exp(-u))
        expected.append([loss, -slope / chosen_length, slope / rejected_length])
    losses = constrained_po(golden_zoo.pairs, beta=beta, gamma=gamma, tau=tau, alpha=alpha)
    found = make.with_slopes(losses, golden_zoo.pairs)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64).T)


def test_trl(constrained_po, golden_zoo):
    """Source: TRL's own `sigmoid_norm`, executed: what is left where the constraint is weak."""
    expected = trl_losses.dpo("sigmoid_norm", golden_zoo.policy, golden_zoo.reference, beta=1.7)
    found = constrained_po(golden_zoo.pairs, beta=1.7, alpha=1e9).mean()
    torch.testing.assert_close(found, expected)


def test_defaults(constrained_po, golden_zoo):
    """Source: the authors' cpo-demo.yaml and, for alpha, config.py."""
    named = constrained_po(golden_zoo.pairs, beta=2.5, gamma=0.05, tau=2.0, alpha=1.0)
    assert torch.equal(constrained_po(golden_zoo.pairs), named)


@given(policy=nats, gamma=st.floats(0, 2), tau=st.floats(0.1, 9), alpha=st.floats(0.2, 5))
def test_at_the_reference(constrained_po, make, policy, gamma, tau, alpha):
    """Both responses as likely: u = -beta s(gamma) / alpha; five tokens, beta 2."""
    batch = make.pairs([policy], [policy], policy, policy)
    ahead = 2 * math.log1p(math.exp(tau * gamma)) / tau / alpha
    slope = 2 / (1 + math.exp(-ahead)) / 5
    losses = constrained_po(batch, beta=2.0, gamma=gamma, tau=tau, alpha=alpha)
    found = make.with_slopes(losses, batch)[:, 0].tolist()
    assert found == pytest.approx([math.log1p(math.exp(ahead)), -slope, slope])


@given(chosen=nats, rejected=nats, ahead=st.floats(-50, 50))
def test_of_a_hard_hinge_at_zero_it_is_hybrid_dpo(
    constrained_po, load, make, chosen, rejected, ahead
):
    """tau towards infinity, gamma = 0: the target is max(d_ref, 0); five tokens."""
    batch = make.pairs([chosen], [rejected], -60.0 + ahead, -60.0)
    found = constrained_po(batch, beta=2.0, gamma=0.0, tau=1e9, alpha=1.0)
    torch.testing.assert_close(found, load("hybrid_dpo")(batch, beta=2.0 / 5))
