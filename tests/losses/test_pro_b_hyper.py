"""PRO-B with r_H: a hand-worked response, its definition in 50 digits, and where its optimum is."""

import math

import pro_losses
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from plumbline.plugins import method_spec


@pytest.fixture(scope="module")
def pro_b_hyper(load):
    return load("pro_b_hyper")


def test_by_hand(pro_b_hyper, make):
    """pi = 1/2 from 1/4: r = log 2, r_H = log (1/2 / 3/4) = -log(3/2), r - r_H = log 3.

    s = 1/2, alpha = 2: -log(2) / 2 - [log(3/4) + log(1/4)]; with s = -1/2 the push turns around.
    """
    batch = make.singles([math.log(1 / 2)] * 2, [True, False], [math.log(1 / 4)] * 2)
    held = -math.log(3 / 16)
    expected = [held - math.log(2) / 2, held + math.log(2) / 2]
    assert pro_b_hyper(batch, beta=1.0, alpha=2.0).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "reference", "beta", "alpha"),
    [
        (-1.0, -1.5, 0.1, 2.5),
        (-0.02, -2.5, 0.7, 3.5),
        (-3.0, -0.4, 0.3, 1.7),
        (-57.0, -60.0, 0.2, 9.0),
    ],
)
@pytest.mark.parametrize("desirable", [True, False])
def test_definition(pro_b_hyper, make, policy, reference, beta, alpha, desirable):
    """Source: `pro_losses`, mpmath at 50 digits, at N = 1, eta = 1/2, alpha / (eta (1 - eta))."""
    score = 0.5 if desirable else -0.5

    def defined(values):
        found = pro_losses.rewards(values, [reference], beta)
        hyper = pro_losses.rest(values, [reference], beta)
        return pro_losses.loss(found, [score], hyper, 4 * mpf(alpha), 0.5)

    weights = {"desirable_weight": 3.0, "undesirable_weight": 0.75}
    weight = 3.0 if desirable else 0.75
    batch = make.singles([policy], [desirable], [reference])
    losses = pro_b_hyper(batch, beta=beta, alpha=alpha, **weights)
    expected = weight * (float(defined([policy])) + alpha * math.log(2))
    assert losses.item() == pytest.approx(expected, abs=1e-11)
    [slope] = pro_losses.slopes(defined, [policy])
    found = make.gradient(losses, batch.completion).item()
    assert found == pytest.approx(weight * slope, abs=1e-11)


def test_at_the_reference(pro_b_hyper, make):
    batch = make.singles([-1.0, -2.0], [True, False], [-1.0, -2.0])
    losses = pro_b_hyper(batch, beta=0.3, alpha=2.0)
    assert losses.tolist() == pytest.approx([2 * math.log(2)] * 2)
    assert make.gradient(losses, batch.completion).tolist() == pytest.approx([-0.15, 0.15])


@given(policy=st.floats(-90, -35), desirable=st.booleans())
def test_is_pro_b_where_the_response_is_improbable(pro_b_hyper, load, make, policy, desirable):
    batch = make.singles([policy], [desirable], -60.0)
    torch.testing.assert_close(pro_b_hyper(batch), load("pro_b")(batch))


@given(policy=st.floats(-3, -0.1), alpha=st.floats(1.05, 9), desirable=st.booleans())
def test_optimum(pro_b_hyper, make, policy, alpha, desirable):
    """Source: dL/dlogp by hand: beta [-s + alpha (sigma(r - r_H) - 1/2) / (1 - pi)], zero where
    sigma(r - r_H) = 1/2 + s (1 - pi) / alpha; the reference that puts it here is solved for."""
    mass = math.exp(policy)
    odds = 0.5 + (0.5 if desirable else -0.5) * (1 - mass) / alpha
    rest = mass / (1 - mass) * (1 - odds) / odds  # of the reference: pi_ref / (1 - pi_ref)
    batch = make.singles([policy], [desirable], [math.log(rest / (1 + rest))])
    losses = pro_b_hyper(batch, beta=1.0, alpha=alpha)
    assert make.gradient(losses, batch.completion).item() == pytest.approx(0, abs=1e-9)


@given(alpha=st.floats(0.05, 0.95))
def test_undesirable_response_runs_away_below_one(pro_b_hyper, make, alpha):
    far = make.singles([-200.0, -400.0], [False] * 2, -1.0)
    near, farther = pro_b_hyper(far, beta=1.0, alpha=alpha).tolist()
    assert farther < near - 1
    assert method_spec("pro_b_hyper").unbounded({"alpha": alpha}, responses=1)


def test_certain_response_is_clamped(pro_b_hyper, make):
    batch = make.singles([-1e-6], [True], [-3.0])
    losses = pro_b_hyper(batch, beta=1.0, alpha=2.5)
    above = 3 - 1e-6 - math.log(-math.expm1(-1e-4)) + math.log(1 - math.exp(-3.0))
    expected = -(3 - 1e-6) / 2 + 2.5 * (above / 2 + math.log1p(math.exp(-above)))
    assert losses.item() == pytest.approx(expected, rel=1e-9)
    assert make.gradient(losses, batch.completion).isfinite().all()


def test_certain_response_of_the_reference_is_clamped(pro_b_hyper, make):
    batch = make.singles([-3.0], [True], [-1e-6])
    losses = pro_b_hyper(batch, beta=1.0, alpha=2.5)
    above = -3 + 1e-6 - math.log(1 - math.exp(-3.0)) + math.log(-math.expm1(-1e-4))
    expected = (3 - 1e-6) / 2 + 2.5 * (-above / 2 + math.log1p(math.exp(above)))
    assert losses.item() == pytest.approx(expected, rel=1e-9)


def test_default(pro_b_hyper, make):
    batch = make.singles([-2.0, -3.0], [True, False], -1.0)
    stated = pro_b_hyper(batch, beta=0.1, alpha=2.5, desirable_weight=1.0, undesirable_weight=1.0)
    assert torch.equal(pro_b_hyper(batch), stated)
