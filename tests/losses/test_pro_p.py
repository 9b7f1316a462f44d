"""PRO-P: golden numbers, its decomposition and gradient, and that it sees what DPO cannot."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-100, 100)


@pytest.fixture(scope="module")
def pro_p(load):
    return load("pro_p")


def kl_to_even(value: float) -> float:
    """K(d) = KL(Bernoulli(1/2) || Bernoulli(sigma(d))), written with cosh."""
    return math.log(math.cosh(value / 2))


def test_by_hand(pro_p, make):
    """r_w = log 3, r_l = 0: -log(3/4) - (1/2) [log(3/4) + log(1/4) + 2 log(1/2)]."""
    batch = make.pairs([math.log(3)], [0.0])
    expected = -math.log(3 / 4) - (math.log(3 / 16) + 2 * math.log(1 / 2)) / 2
    assert pro_p(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


def test_golden(pro_p, make, golden_pro, golden_zoo):
    """Source: golden_pro.json and golden_zoo.json (mpmath, 50 digits)."""
    for row in golden_pro["pairs"]:
        batch = make.pairs([row["logp_w"]], [row["logp_l"]], row["ref_w"], row["ref_l"])
        losses = pro_p(batch, beta=row["beta"])
        assert losses.item() == pytest.approx(float(row["PRO-P"]["loss"]), abs=1e-13)
        sides = make.gradient(losses, batch.chosen), make.gradient(losses, batch.rejected)
        expected = [float(value) for value in row["PRO-P"]["dloss"]]
        assert [side.item() for side in sides] == pytest.approx(expected, abs=1e-14)
    found = pro_p(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["pro-p unit"], abs=1e-13)


def test_at_the_reference(pro_p, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    losses = pro_p(batch, beta=0.3)
    assert losses.item() == pytest.approx(3 * math.log(2))
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.15)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.15)


@given(chosen=nats, rejected=nats)
def test_is_optimizer_plus_regularizer(pro_p, make, chosen, rejected):
    """Source: Theorem 3.1, arXiv:2505.23316v2: a linear push plus K over the pairs of {w, l, H}."""
    pushes = kl_to_even(chosen - rejected) + kl_to_even(chosen) + kl_to_even(rejected)
    expected = -(chosen - rejected) / 2 + pushes + 3 * math.log(2)
    found = pro_p(make.pairs([chosen], [rejected]), beta=1.0).item()
    assert found == pytest.approx(expected, abs=1e-9)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_gradient_formula(pro_p, make, chosen, rejected, beta):
    """Source: the derivative of Theorem 4.3's loss, by hand."""
    batch = make.pairs([chosen], [rejected])
    losses = pro_p(batch, beta=beta)
    chosen, rejected = (torch.tensor([beta * value]).double() for value in (chosen, rejected))
    contrast = torch.sigmoid(rejected - chosen)
    expected = beta * (-contrast + chosen.sigmoid() - 0.5)
    torch.testing.assert_close(make.gradient(losses, batch.chosen), expected, rtol=1e-5, atol=1e-9)
    expected = beta * (contrast + rejected.sigmoid() - 0.5)
    found = make.gradient(losses, batch.rejected)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-100, -25))
def test_sees_a_common_shift_down(pro_p, make, chosen, rejected, shift):
    """The property that is the paper's point: the pair shifted down together costs more."""
    here = pro_p(make.pairs([chosen], [rejected]))
    there = pro_p(make.pairs([chosen + shift], [rejected + shift]))
    assert there.item() > here.item()


def test_default(pro_p, make):
    batch = make.pairs([-10.0], [-12.0])
    assert torch.equal(pro_p(batch), pro_p(batch, beta=0.1))
