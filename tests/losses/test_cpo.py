"""CPO (contrastive): a hand-worked pair, a golden number, TRL, and what is left of DPO in it."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def cpo(load):
    return load("cpo")


def test_by_hand(cpo, make):
    """u = 0.1 * 2; -10 nats over 5 tokens, alpha 0.7: log(1 + e^-0.2) + 0.7 * 2."""
    batch = make.pairs([-10.0], [-12.0])
    expected = math.log(1 + math.exp(-0.2)) + 1.4
    assert cpo(batch, beta=0.1, alpha=0.7).item() == pytest.approx(expected, abs=1e-12)


def test_golden(cpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits), the likelihood as each response's own mean."""
    found = cpo(golden_zoo.pairs, beta=0.1, alpha=1.0).mean().item()
    expected = golden_zoo.values["cpo beta,+nll(token mean per seq)"]
    assert found == pytest.approx(expected, abs=1e-12)


def test_trl(cpo, make, golden_zoo):
    """Source: the `sigmoid` of TRL's CPOTrainer, executed, and the likelihood per token."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    chosen, rejected = (rows[:, side].requires_grad_() for side in (0, 1))
    preference = trl_losses.cpo("sigmoid", chosen, rejected, beta=0.3)
    expected = preference - 0.7 * chosen / rows[:, 4]
    slopes = torch.autograd.grad(expected.sum(), (chosen, rejected))
    found = make.with_slopes(cpo(golden_zoo.pairs, beta=0.3, alpha=0.7), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.stack([expected, *slopes]).detach())


def test_defaults(cpo, golden_zoo):
    """Source: section 4.2 of the paper for beta; Eq. (5) has no weight."""
    assert torch.equal(cpo(golden_zoo.pairs), cpo(golden_zoo.pairs, beta=0.1, alpha=1.0))


@given(policy=nats, reference=nats, alpha=st.floats(0, 3))
def test_at_equal_likelihood_whatever_the_reference(cpo, make, policy, reference, alpha):
    """Five tokens in the response."""
    batch = make.pairs([policy], [policy], reference, -reference)
    found = make.with_slopes(cpo(batch, beta=0.3, alpha=alpha), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2) - alpha * policy / 5, -0.15 - alpha / 5, 0.15])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_likelihood_it_is_dpo_from_a_uniform_reference(
    cpo, load, make, chosen, rejected, beta
):
    batch = make.pairs([chosen], [rejected], -30.0, -30.0)
    torch.testing.assert_close(cpo(batch, beta=beta, alpha=0.0), load("dpo")(batch, beta=beta))
