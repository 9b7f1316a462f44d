"""LD-DPO: TRL's own `ld_alpha`, a hand-worked pair, and what lies beyond the shared length."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

#: Three pairs, token by token: the chosen one longer, the rejected one longer, equal lengths.
CHOSEN = [[-1.0, -2.0, -0.5, -3.0], [-3.0], [-2.0, -1.0]]
CHOSEN_REFERENCE = [[-1.5, -1.0, -0.25, -3.5], [-2.0], [-1.0, -1.5]]
REJECTED = [[-0.75, -4.0], [-1.0, -2.0, -2.5], [-0.5, -0.25]]
REJECTED_REFERENCE = [[-1.0, -3.0], [-1.25, -2.25, -1.0], [-1.0, -2.0]]


@pytest.fixture(scope="module")
def ld_dpo(load):
    return load("ld_dpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture
def batch(make) -> Pairs:
    return Pairs(
        make.token_column(CHOSEN, CHOSEN_REFERENCE),
        make.token_column(REJECTED, REJECTED_REFERENCE),
    )


def test_by_hand(ld_dpo, batch):
    """alpha = 1/4. First: H_w = 0.5 - 1 + (-0.25 + 0.5)/4 = -0.4375, H_l = 0.25 - 1 = -0.75.
    Second: H_w = -1, H_l = 0.25 + (0.25 - 1.5)/4 = -0.0625. Third: H_w = -0.5, H_l = 2.25."""
    expected = [math.log(1 + math.exp(-0.3 * margin)) for margin in (0.3125, -0.9375, -2.75)]
    assert ld_dpo(batch, beta=0.3, alpha=0.25).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("beta", "alpha"), [(0.3, 0.25), (0.7, 0.0), (0.1, 1.0)])
def test_trl(ld_dpo, batch, make, beta, alpha):
    """Source: TRL's own `ld_alpha`, executed; value, and gradient on every token."""
    rows = [torch.tensor(row).double().requires_grad_() for row in CHOSEN + REJECTED]
    reference = [torch.tensor(row).double() for row in CHOSEN_REFERENCE + REJECTED_REFERENCE]
    expected = trl_losses.dpo("sigmoid", rows, reference, beta=beta, ld_alpha=alpha)
    losses = ld_dpo(batch, beta=beta, alpha=alpha)
    torch.testing.assert_close(losses.mean(), expected)
    slopes = torch.autograd.grad(expected, rows)
    for column, theirs in ((batch.chosen, slopes[:3]), (batch.rejected, slopes[3:])):
        ours = make.token_gradient(losses / 3, column)
        for row, slope in zip(ours, theirs, strict=True):
            torch.testing.assert_close(row[: len(slope)], slope)


def test_at_the_reference(ld_dpo, make):
    batch = Pairs(make.token_column(CHOSEN, CHOSEN), make.token_column(REJECTED, REJECTED))
    losses = ld_dpo(batch, beta=0.3, alpha=0.5)
    assert losses.tolist() == pytest.approx([math.log(2)] * 3)
    found = make.token_gradient(losses, batch.chosen)[0].tolist()
    assert found == pytest.approx([-0.15, -0.15, -0.075, -0.075])
    assert make.token_gradient(losses, batch.rejected)[1, :3].tolist() == pytest.approx(
        [0.15, 0.075, 0.075]
    )


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_at_one_it_is_dpo(ld_dpo, dpo, make, beta):
    batch = Pairs(
        make.token_column(CHOSEN, CHOSEN_REFERENCE),
        make.token_column(REJECTED, REJECTED_REFERENCE),
    )
    found = ld_dpo(batch, beta=beta, alpha=1.0)
    torch.testing.assert_close(found, dpo(batch, beta=beta))


def test_defaults(ld_dpo, batch):
    assert torch.equal(ld_dpo(batch), ld_dpo(batch, beta=0.1, alpha=0.5))
