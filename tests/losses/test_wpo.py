"""WPO: TRL's own `use_weighting`, a hand-worked pair, and weights that carry no gradient."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

#: (policy, reference, log sum of squares) of two pairs, token by token.
CHOSEN = (
    [[-1.0, -2.0, -0.5], [-3.0]],
    [[-1.5, -1.0, -0.25], [-2.0]],
    [[-0.9, -1.6, -0.4], [-1.2]],
)
REJECTED = (
    [[-0.75, -4.0], [-1.0, -2.0, -2.5]],
    [[-1.0, -3.0], [-1.25, -2.25, -1.0]],
    [[-0.5, -1.5], [-0.8, -1.9, -1.0]],
)


NEEDS = ("token_log_squares",)


@pytest.fixture(scope="module")
def wpo(load):
    return load("wpo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def tensors(row: int) -> list[torch.Tensor]:
    return [torch.tensor(values).double() for values in CHOSEN[row] + REJECTED[row]]


def test_by_hand(wpo, batch):
    """First pair: mean log weights -0.6/3 and -2.75/2, margin -0.75 - -0.75 = 0. Second: -1.8/1
    and -1.8/3, margin -1 - -1 = 0. The other test's reference moves the margin."""
    expected = [math.exp(-0.2 - 1.375) * math.log(2), math.exp(-1.8 - 0.6) * math.log(2)]
    assert wpo(batch, beta=0.3).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("beta", [0.01, 0.7])
def test_trl(wpo, make, beta):
    """Source: TRL's own `use_weighting`, executed; value, and gradient on every token."""
    shifted = [[-0.5, -1.0, -0.25], [-2.5]]
    batch = make.token_pairs(NEEDS, (CHOSEN[0], shifted, CHOSEN[2]), REJECTED)
    policy = [row.requires_grad_() for row in tensors(0)]
    reference = [torch.tensor(row).double() for row in shifted + REJECTED[1]]
    expected = trl_losses.dpo(
        "sigmoid",
        policy,
        reference,
        beta=beta,
        use_weighting=True,
        log_sum_sq_probs=tensors(2),
    )
    losses = wpo(batch, beta=beta)
    torch.testing.assert_close(losses.mean(), expected)
    slopes = torch.autograd.grad(expected, policy)
    for column, theirs in ((batch.chosen, slopes[:2]), (batch.rejected, slopes[2:])):
        ours = make.token_gradient(losses / 2, column)
        for row, slope in zip(ours, theirs, strict=True):
            torch.testing.assert_close(row[: len(slope)], slope)
        assert (make.token_gradient(losses, column, "token_log_squares") == 0).all()


def test_at_the_reference(wpo, make):
    batch = make.token_pairs(
        NEEDS, (CHOSEN[0], CHOSEN[0], CHOSEN[2]), (REJECTED[0], REJECTED[0], REJECTED[2])
    )
    losses = wpo(batch, beta=0.3)
    weight = math.exp(-0.2 - 1.375)
    assert losses[0].item() == pytest.approx(weight * math.log(2))
    found = make.token_gradient(losses, batch.chosen)[0].tolist()
    assert found == pytest.approx([-0.15 * weight] * 3)


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_with_weights_of_one_it_is_dpo(wpo, dpo, make, beta):
    batch = make.token_pairs(
        NEEDS, (CHOSEN[0], CHOSEN[1], CHOSEN[0]), (REJECTED[0], REJECTED[1], REJECTED[0])
    )
    torch.testing.assert_close(wpo(batch, beta=beta), dpo(batch, beta=beta))


def test_default(wpo, make):
    batch = make.token_pairs(NEEDS, (CHOSEN[0], [[-0.5, -1.0, -0.25], [-2.5]], CHOSEN[2]), REJECTED)
    assert torch.equal(wpo(batch), wpo(batch, beta=0.01))
