"""cDPO: a hand-worked pair, a golden number, TRL's label smoothing, and where it stops."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)
shares = st.floats(0.01, 0.49)


@pytest.fixture(scope="module")
def cdpo(load):
    return load("cdpo")


def test_by_hand(cdpo, make):
    """u = log 3: sigma is 3/4 and 1/4; epsilon 0.2: 0.8 log(4/3) + 0.2 log 4."""
    batch = make.pairs([math.log(3)], [0.0])
    expected = 0.8 * math.log(4 / 3) + 0.2 * math.log(4)
    assert cdpo(batch, beta=1.0, epsilon=0.2).item() == pytest.approx(expected, abs=1e-12)


def test_golden(cdpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = cdpo(golden_zoo.pairs, beta=0.1, epsilon=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["cdpo eps=.1"], abs=1e-13)


def test_trl(cdpo, make, golden_zoo):
    """Source: the `sigmoid` of TRL's CPOTrainer with label smoothing, executed on log-ratios."""
    rows = torch.tensor(golden_zoo.rows, dtype=torch.float64)
    ratios = [(rows[:, side] - rows[:, side + 2]).requires_grad_() for side in (0, 1)]
    expected = trl_losses.cpo("sigmoid", *ratios, beta=0.3, label_smoothing=0.17)
    slopes = torch.autograd.grad(expected.sum(), ratios)
    found = make.with_slopes(cdpo(golden_zoo.pairs, beta=0.3, epsilon=0.17), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.stack([expected, *slopes]).detach())


def test_defaults(cdpo, golden_zoo):
    """Source: the README of the author's code for epsilon, DPO's beta."""
    assert torch.equal(cdpo(golden_zoo.pairs), cdpo(golden_zoo.pairs, beta=0.1, epsilon=0.1))


def test_at_the_reference(cdpo, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(cdpo(batch, beta=0.3, epsilon=0.1), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.12, 0.12])


@given(beta=st.floats(0.01, 1), epsilon=shares)
def test_stops_where_it_is_as_sure_as_the_labels(cdpo, make, beta, epsilon):
    """Source: the derivative, sigma(u) - (1 - epsilon), is zero at u = log((1 - eps) / eps)."""
    batch = make.pairs([math.log((1 - epsilon) / epsilon) / beta], [0.0])
    assert make.with_slopes(cdpo(batch, beta=beta, epsilon=epsilon), batch)[1:].abs().max() < 1e-9


@given(chosen=nats, rejected=nats, epsilon=shares)
def test_a_turned_label_is_the_other_share(cdpo, make, chosen, rejected, epsilon):
    turned = cdpo(make.pairs([rejected], [chosen], -40.0, -30.0), epsilon=1 - epsilon)
    torch.testing.assert_close(
        cdpo(make.pairs([chosen], [rejected], -30.0, -40.0), epsilon=epsilon), turned
    )


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_with_labels_all_right_it_is_dpo(cdpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(cdpo(batch, beta=beta, epsilon=0.0), load("dpo")(batch, beta=beta))
