"""SamPO: DPO as TRL executes it on the sampled tokens alone, and what is not sampled."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import Pairs

#: (policy, reference, sample) of two pairs, token by token; the longer response is sampled.
CHOSEN = (
    [[-1.0, -2.0, -0.5], [-3.0]],
    [[-1.5, -1.0, -0.25], [-2.0]],
    [[1, 0, 1], [1]],
)
REJECTED = (
    [[-0.75, -4.0], [-1.0, -2.0, -2.5]],
    [[-1.0, -3.0], [-1.25, -2.25, -1.0]],
    [[1, 1], [0, 1, 0]],
)


NEEDS = ("token_sample",)


@pytest.fixture(scope="module")
def sampo(load):
    return load("sampo")


@pytest.fixture(scope="module")
def dpo(load):
    return load("dpo")


@pytest.fixture
def batch(make) -> Pairs:
    return make.token_pairs(NEEDS, CHOSEN, REJECTED)


def sampled(values: list[list[float]], sample: list[list[int]]) -> list[torch.Tensor]:
    return [
        torch.tensor([value for value, mark in zip(*row, strict=True) if mark]).double()
        for row in zip(values, sample, strict=True)
    ]


def test_by_hand(sampo, batch):
    """First pair: S_w = 0.5 - 0.25 = 0.25, S_l = 0.25 - 1 = -0.75. Second: S_w = -1, S_l = 0.25."""
    expected = [math.log(1 + math.exp(-0.3 * margin)) for margin in (1.0, -1.25)]
    assert sampo(batch, beta=0.3).tolist() == pytest.approx(expected, abs=1e-12)


def test_trl(sampo, batch):
    """Source: TRL's own `sigmoid`, executed on the sampled tokens and no others."""
    policy, reference = (
        sampled(CHOSEN[row], CHOSEN[2]) + sampled(REJECTED[row], REJECTED[2]) for row in (0, 1)
    )
    expected = trl_losses.dpo("sigmoid", policy, reference, beta=0.7)
    torch.testing.assert_close(sampo(batch, beta=0.7).mean(), expected)


def test_gradient_is_on_the_sampled_tokens_only(sampo, batch, make):
    """Source: the derivative by hand: -+ beta sigma(-beta margin) on each of them."""
    losses = sampo(batch, beta=0.3)
    slopes = [0.3 / (1 + math.exp(0.3 * margin)) for margin in (1.0, -1.25)]
    for column, sample, sign in ((batch.chosen, CHOSEN[2], -1), (batch.rejected, REJECTED[2], 1)):
        found = make.token_gradient(losses, column)
        for row, marks in enumerate(sample):
            expected = [sign * slopes[row] * mark for mark in marks]
            assert found[row, : len(marks)].tolist() == pytest.approx(expected, abs=1e-12)


def test_at_the_reference(sampo, make):
    batch = make.token_pairs(
        NEEDS, (CHOSEN[1], CHOSEN[1], CHOSEN[2]), (REJECTED[1], REJECTED[1], REJECTED[2])
    )
    losses = sampo(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.token_gradient(losses, batch.chosen)[0].tolist() == pytest.approx([-0.15, 0, -0.15])
    assert make.token_gradient(losses, batch.rejected)[1].tolist() == pytest.approx([0, 0.15, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(-9, 0)] * 4), min_size=1, max_size=5), st.floats(0.01, 2))
def test_with_all_tokens_it_is_dpo(sampo, dpo, make, rows, beta):
    chosen, chosen_reference, rejected, rejected_reference = zip(*rows, strict=True)
    every = [[1] * len(rows)]
    batch = make.token_pairs(
        NEEDS, ([chosen], [chosen_reference], every), ([rejected], [rejected_reference], every)
    )
    torch.testing.assert_close(sampo(batch, beta=beta), dpo(batch, beta=beta))


def test_default(sampo, batch):
    assert torch.equal(sampo(batch), sampo(batch, beta=0.1))
