"""TDPO2: hand-worked pairs, no gradient on the chosen divergence, DPO and TDPO1 as limits."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

CHOSEN = ([[-1.0, -2.0, -0.5], [-3.0]], [[-1.5, -1.0, -0.25], [-2.0]], [[0.5, 0.1, 0.4], [0.2]])
REJECTED = ([[-0.75, -4.0], [-1.0, -2.5]], [[-1.0, -3.0], [-2.5, -1.0]], [[0.3, 0.2], [1.5, 0.3]])
#: By hand: h_w - h_l = -0.75 - -0.75 = 0 and -1 - 0 = -1; D_l - D_w = 0.5 - 1 and 1.8 - 0.2.
MARGINS, EXCESS = (0.0, -1.0), (-0.5, 1.6)


NEEDS = ("token_divergence",)


@pytest.fixture(scope="module")
def tdpo2(load):
    return load("tdpo2")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture(scope="module")
def tdpo1(load):
    return load("tdpo1")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def test_by_hand(tdpo2, batch):
    """Source: log(1 + exp(-beta (margin - alpha excess))), arXiv:2404.11999v5."""
    margins = [margin - 0.7 * excess for margin, excess in zip(MARGINS, EXCESS, strict=True)]
    expected = [math.log(1 + math.exp(-0.3 * margin)) for margin in margins]
    found = tdpo2(batch, beta=0.3, alpha=0.7)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(tdpo2, batch, make):
    """-+ beta sigma(-u) on log-probabilities, alpha times that on the rejected divergence only."""
    losses = tdpo2(batch, beta=0.3, alpha=0.7)
    for row, (margin, excess) in enumerate(zip(MARGINS, EXCESS, strict=True)):
        slope = 0.3 / (1 + math.exp(0.3 * (margin - 0.7 * excess)))
        assert make.token_gradient(losses, batch.chosen)[row, 0] == pytest.approx(-slope)
        assert make.token_gradient(losses, batch.rejected)[row, 1] == pytest.approx(slope)
        found = make.token_gradient(losses, batch.rejected, "token_divergence")[row, 1]
        assert found == pytest.approx(0.7 * slope)
    assert (make.token_gradient(losses, batch.chosen, "token_divergence") == 0).all()


def test_at_the_reference(tdpo2, make):
    batch = make.token_pairs(
        NEEDS, (CHOSEN[0], CHOSEN[0], [[0.0]]), (REJECTED[0], REJECTED[0], [[0.0]])
    )
    losses = tdpo2(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.token_gradient(losses, batch.chosen)[0].tolist() == pytest.approx([-0.15] * 3)


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_its_limits(tdpo2, dpo, tdpo1, make, beta):
    """alpha = 0 is DPO, alpha = 1 has the value of TDPO1."""
    batch = make.token_pairs(NEEDS, CHOSEN, REJECTED)
    torch.testing.assert_close(tdpo2(batch, beta=beta, alpha=0.0), dpo(batch, beta=beta))
    torch.testing.assert_close(tdpo2(batch, beta=beta, alpha=1.0), tdpo1(batch, beta=beta))


def test_defaults(tdpo2, batch):
    assert torch.equal(tdpo2(batch), tdpo2(batch, beta=0.1, alpha=0.5))
