"""TDPO1: hand-worked pairs, the gradient through both divergences, and where it is DPO."""

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
def tdpo1(load):
    return load("tdpo1")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def test_by_hand(tdpo1, batch):
    """Source: log(1 + exp(-beta (margin - excess))), arXiv:2404.11999v5."""
    margins = [margin - excess for margin, excess in zip(MARGINS, EXCESS, strict=True)]
    expected = [math.log(1 + math.exp(-0.3 * margin)) for margin in margins]
    assert tdpo1(batch, beta=0.3).tolist() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(tdpo1, batch, make):
    """-+ beta sigma(-beta (margin - excess)) on log-probabilities; the same on divergences."""
    losses = tdpo1(batch, beta=0.3)
    for row, (margin, excess) in enumerate(zip(MARGINS, EXCESS, strict=True)):
        slope = 0.3 / (1 + math.exp(0.3 * (margin - excess)))
        for name in ("token_policy", "token_divergence"):
            assert make.token_gradient(losses, batch.chosen, name)[row, 0] == pytest.approx(-slope)
            assert make.token_gradient(losses, batch.rejected, name)[row, 1] == pytest.approx(slope)


def test_at_the_reference(tdpo1, make):
    batch = make.token_pairs(
        NEEDS, (CHOSEN[0], CHOSEN[0], [[0.0]]), (REJECTED[0], REJECTED[0], [[0.0]])
    )
    losses = tdpo1(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.token_gradient(losses, batch.chosen)[0].tolist() == pytest.approx([-0.15] * 3)


@settings(deadline=None)
@given(beta=st.floats(0.01, 2), shift=st.floats(0, 5))
def test_equal_divergences_give_dpo(tdpo1, dpo, make, beta, shift):
    equal = [[shift], [2 * shift]]
    batch = make.token_pairs(NEEDS, (*CHOSEN[:2], equal), (*REJECTED[:2], equal))
    torch.testing.assert_close(tdpo1(batch, beta=beta), dpo(batch, beta=beta))


def test_default(tdpo1, batch):
    assert torch.equal(tdpo1(batch), tdpo1(batch, beta=0.1))
