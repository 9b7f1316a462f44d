"""SparsePO's MaPO: hand-worked pairs, a common mask on both terms, and TDPO1 as a limit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

#: (policy, reference, divergence, activity) of two pairs, token by token.
CHOSEN = (
    [[-1.0, -2.0, -0.5], [-3.0]],
    [[-1.5, -1.0, -0.25], [-2.0]],
    [[0.5, 0.1, 0.4], [0.2]],
    [[1.0, 0.25, 0.0], [1.0]],
)
REJECTED = (
    [[-0.75, -4.0], [-1.0, -2.5]],
    [[-1.0, -3.0], [-2.5, -1.0]],
    [[0.3, 0.2], [1.5, 0.3]],
    [[0.5, 1.0], [0.0, 0.75]],
)
#: By hand: first H_w = 0.5 - 0.25, D_w = 0.525, H_l = 0.125 - 1, D_l = 0.35;
#: second H_w = -1, D_w = 0.2, H_l = -1.125, D_l = 0.225. Each H_w - H_l - (D_l - D_w).
MARGINS = (1.125 + 0.175, 0.125 - 0.025)


NEEDS = ("token_divergence", "token_activity")


@pytest.fixture(scope="module")
def sparse_po(load):
    return load("sparse_po")


@pytest.fixture(scope="module")
def tdpo1(load):
    return load("tdpo1")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def test_by_hand(sparse_po, batch):
    expected = [math.log(1 + math.exp(-0.3 * margin)) for margin in MARGINS]
    assert sparse_po(batch, beta=0.3).tolist() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(sparse_po, batch, make):
    """-+ beta m sigma(-beta margin), on log-probabilities and divergences alike."""
    losses = sparse_po(batch, beta=0.3)
    for row, margin in enumerate(MARGINS):
        slope = 0.3 / (1 + math.exp(0.3 * margin))
        for column, side, sign in ((batch.chosen, CHOSEN, -1), (batch.rejected, REJECTED, 1)):
            expected = [sign * slope * mark for mark in side[3][row]]
            for name in ("token_policy", "token_divergence"):
                found = make.token_gradient(losses, column, name)[row, : len(expected)]
                assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_at_the_reference(sparse_po, make):
    nothing = [[0.0] * 3, [0.0]], [[0.0] * 2] * 2
    batch = make.token_pairs(
        NEEDS,
        (CHOSEN[0], CHOSEN[0], nothing[0], CHOSEN[3]),
        (REJECTED[0], REJECTED[0], nothing[1], REJECTED[3]),
    )
    losses = sparse_po(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    found = make.token_gradient(losses, batch.chosen)[0].tolist()
    assert found == pytest.approx([-0.15, -0.0375, 0.0])


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_with_masks_of_one_it_is_tdpo1(sparse_po, tdpo1, make, beta):
    batch = make.token_pairs(
        NEEDS,
        (*CHOSEN[:3], [[1.0] * 3, [1.0]]),
        (*REJECTED[:3], [[1.0] * 2] * 2),
    )
    torch.testing.assert_close(sparse_po(batch, beta=beta), tdpo1(batch, beta=beta))


def test_default(sparse_po, batch):
    assert torch.equal(sparse_po(batch), sparse_po(batch, beta=0.1))
