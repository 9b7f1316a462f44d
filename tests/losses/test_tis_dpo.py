"""TIS-DPO: hand-worked pairs number by number, cut contrasts, and where it is DPO."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

#: (policy, reference, reverse divergence, contrast) of two pairs, token by token.
CHOSEN = (
    [[-1.0, -2.0, -0.5], [-3.0]],
    [[-1.5, -1.0, -0.25], [-2.0]],
    [[0.5, 0.1, 0.4], [0.2]],
    [[0.4, -3.0, 2.0], [0.1]],
)
REJECTED = (
    [[-0.75, -4.0], [-1.0, -2.5]],
    [[-1.0, -3.0], [-2.5, -1.0]],
    [[0.3, 0.2], [1.5, 0.3]],
    [[-0.1, 1.1], [-2.0, 0.7]],
)
POINT = {"beta": 0.3, "scale": 1.2, "sharpness": 0.8, "low": -0.6, "high": 0.9}


NEEDS = ("token_reverse_divergence", "token_contrast")


@pytest.fixture(scope="module")
def tis_dpo(load):
    return load("tis_dpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def weights(contrasts: list[float], sign: int) -> list[float]:
    """k exp(+-mu clamp(contrast, L, U)) at POINT."""
    return [1.2 * math.exp(sign * 0.8 * min(max(value, -0.6), 0.9)) for value in contrasts]


def by_hand(row: int) -> float:
    """u - eta without beta, for one pair."""
    total = 0.0
    for side, sign in ((CHOSEN, 1), (REJECTED, -1)):
        policy, reference, divergence, contrast = (values[row] for values in side)
        for token, weight in enumerate(weights(contrast, sign)):
            ratio = policy[token] - reference[token]
            total += sign * weight * ratio - sign * weight * divergence[token]
    return total


def test_by_hand(tis_dpo, batch):
    """Source: section 4 of arXiv:2410.04350v3, written out with plain math."""
    expected = [math.log(1 + math.exp(-0.3 * by_hand(row))) for row in (0, 1)]
    assert tis_dpo(batch, **POINT).tolist() == pytest.approx(expected, abs=1e-12)


def test_a_number_by_hand(tis_dpo, make):
    """One token each, weights exp(0.5) and exp(-0.5 * -1): u - eta = 0.1 e^.5 (0.9 + 0.7)."""
    batch = make.token_pairs(
        NEEDS, ([[-1.0]], [[-2.0]], [[0.1]], [[0.5]]), ([[-2.0]], [[-1.5]], [[0.2]], [[-0.7]])
    )
    expected = math.log(1 + math.exp(-0.1 * math.exp(0.5) * 1.6))
    assert tis_dpo(batch, beta=0.1).item() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(tis_dpo, batch, make):
    """-+ beta w sigma(-(u - eta)) on log-probabilities, the opposite on divergences."""
    losses = tis_dpo(batch, **POINT)
    for row in (0, 1):
        slope = 0.3 / (1 + math.exp(0.3 * by_hand(row)))
        for column, side, sign in ((batch.chosen, CHOSEN, 1), (batch.rejected, REJECTED, -1)):
            expected = [-sign * slope * weight for weight in weights(side[3][row], sign)]
            found = make.token_gradient(losses, column)[row, : len(expected)]
            assert found.tolist() == pytest.approx(expected, abs=1e-12)
            found = make.token_gradient(losses, column, "token_reverse_divergence")[row]
            opposite = [-value for value in expected]
            assert found[: len(expected)].tolist() == pytest.approx(opposite, abs=1e-12)


def test_padding_weighs_nothing(tis_dpo, batch, make):
    """A contrast of zero is a weight of one: the mask keeps it from what lies on padding."""
    losses = tis_dpo(batch, **POINT)
    assert (make.token_gradient(losses, batch.chosen)[1, 1:] == 0).all()


def test_at_the_reference(tis_dpo, make):
    batch = make.token_pairs(
        NEEDS,
        (CHOSEN[0], CHOSEN[0], [[0.0] * 3, [0.0]], CHOSEN[3]),
        (REJECTED[0], REJECTED[0], [[0.0] * 2] * 2, REJECTED[3]),
    )
    losses = tis_dpo(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    found = make.token_gradient(losses, batch.chosen)[0].tolist()
    assert found == pytest.approx([-0.15 * math.exp(value) for value in (0.4, -0.5, 1.5)])
    found = make.token_gradient(losses, batch.rejected)[1].tolist()
    assert found == pytest.approx([0.15 * math.exp(value) for value in (0.5, -0.7)])


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_without_contrast_and_divergence_it_is_dpo(tis_dpo, dpo, make, beta):
    nothing = [[0.0] * 3, [0.0]], [[0.0] * 2] * 2
    batch = make.token_pairs(
        NEEDS,
        (*CHOSEN[:2], nothing[0], CHOSEN[3]),
        (*REJECTED[:2], nothing[1], REJECTED[3]),
    )
    found = tis_dpo(batch, beta=beta, low=0.0, high=0.0)
    torch.testing.assert_close(found, dpo(batch, beta=beta))


def test_defaults(tis_dpo, batch):
    assert torch.equal(
        tis_dpo(batch), tis_dpo(batch, beta=0.1, scale=1.0, sharpness=1.0, low=-0.5, high=1.5)
    )
