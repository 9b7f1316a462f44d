"""PRO-B: golden numbers, where its optimum lies, and when there is none."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

alphas = st.floats(1.05, 30)


@pytest.fixture(scope="module")
def pro_b(load):
    return load("pro_b")


def test_by_hand(pro_b, make):
    """r = log 3, s = 1/2, alpha = 2: -log(3)/2 - [log(3/4) + log(1/4)]."""
    losses = pro_b(make.singles([math.log(3)], [True]), beta=1.0, alpha=2.0)
    assert losses.item() == pytest.approx(-math.log(3) / 2 - math.log(3 / 16), abs=1e-12)


def test_golden(pro_b, make, golden_pro):
    """Source: golden_pro.json (mpmath, 50 digits)."""
    sides = [("logp_w", "ref_w", True, "(w,+1/2)"), ("logp_l", "ref_l", False, "(l,-1/2)")]
    for row in golden_pro["pairs"]:
        for policy, reference, desirable, name in sides:
            batch = make.singles([row[policy]], [desirable], row[reference])
            losses = pro_b(batch, beta=row["beta"], alpha=row["alpha"])
            expected = row[f"PRO-B{name}"]
            assert losses.item() == pytest.approx(float(expected["loss"]), abs=1e-13)
            slope = make.gradient(losses, batch.completion).item()
            assert slope == pytest.approx(float(expected["dloss"]), abs=1e-14)


@given(policy=st.floats(-300, 300), alpha=alphas, beta=st.floats(1e-3, 1), desirable=st.booleans())
def test_gradient_formula(pro_b, make, policy, alpha, beta, desirable):
    """Source: the derivative of Appendix D's loss, by hand: beta (-s + alpha (sigma(r) - 1/2))."""
    batch = make.singles([policy], [desirable])
    slope = make.gradient(pro_b(batch, beta=beta, alpha=alpha), batch.completion)
    saturation = torch.tensor([beta * policy]).double().sigmoid() - 0.5
    expected = beta * (-(0.5 if desirable else -0.5) + alpha * saturation)
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-8)


@given(alpha=alphas, desirable=st.booleans())
def test_optimum(pro_b, make, alpha, desirable):
    """Source: Theorem 3.2: sigma(r) = 1/2 + s/alpha at the optimum; it exists for alpha > 1."""
    mass = 0.5 + (0.5 if desirable else -0.5) / alpha
    batch = make.singles([math.log(mass / (1 - mass))], [desirable])
    slope = make.gradient(pro_b(batch, beta=1.0, alpha=alpha), batch.completion)
    assert slope.item() == pytest.approx(0, abs=1e-9)


@given(alpha=st.floats(0.05, 0.95), desirable=st.booleans())
def test_runs_away_below_one(pro_b, make, alpha, desirable):
    """Far out the loss still falls without bound."""
    far = [100.0, 200.0] if desirable else [-100.0, -200.0]
    near, farther = pro_b(make.singles(far, [desirable] * 2), beta=1.0, alpha=alpha).tolist()
    assert farther < near - 1


def test_spec_refuses_alpha_of_one():
    from plumbline.plugins import method_spec

    spec = method_spec("pro_b")
    assert spec.unbounded({"alpha": 1.0}, responses=1)
    assert not spec.unbounded({"alpha": 1.01}, responses=1)


def test_weights_scale_their_class(pro_b, make):
    batch = make.singles([1.0, -1.0], [True, False])
    weighted = pro_b(batch, desirable_weight=2.0, undesirable_weight=0.5)
    torch.testing.assert_close(weighted, pro_b(batch) * torch.tensor([2.0, 0.5]).double())


def test_defaults(pro_b, make):
    batch = make.singles([-10.0, -3.0], [True, False])
    stated = pro_b(batch, beta=0.1, alpha=2.5, desirable_weight=1.0, undesirable_weight=1.0)
    assert torch.equal(pro_b(batch), stated)


def test_weights_balance_the_classes(pro_b, make):
    """Source: E[s] = 0 and one regularizer for each class, where weight times count agrees: 1
    undesirable response among 99 desirable ones, weighted 99, at one log-ratio."""
    batch = make.singles([3.0] * 100, [True] * 99 + [False])
    losses = pro_b(batch, beta=0.1, alpha=2.5, undesirable_weight=99.0)
    slopes = make.gradient(losses, batch.completion)
    held = 2.5 * (1 / (1 + math.exp(-0.3)) - 0.5)
    assert slopes[:99].sum().item() == pytest.approx(99 * 0.1 * (held - 0.5))
    assert slopes[99].item() == pytest.approx(99 * 0.1 * (held + 0.5))
