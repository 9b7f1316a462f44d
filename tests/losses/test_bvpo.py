"""BVPO: DPO by TRL on traces and on answers alone, mixed outside; a pair by hand; its limits."""

import math
from dataclasses import replace

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)
#: Log-probabilities (chosen, rejected, and under the reference) of three pairs, with and without
#: traces; no number occurs twice.
TRACES = [-31.0, -28.5, -40.25], [-33.0, -25.0, -41.5], [-30.0, -30.5, -39.0], [-29.5, -26.5, -44.0]
ANSWERS = [-7.0, -9.5, -12.25], [-6.5, -13.0, -8.75], [-8.5, -9.0, -11.0], [-5.5, -10.5, -9.25]


@pytest.fixture(scope="module")
def bvpo(load):
    return load("bvpo")


@pytest.fixture(scope="module")
def mixed(make):
    """A batch from the numbers of its pairs and of those without traces."""

    def build(traces, answers):
        return replace(make.pairs(*traces), needed={"traceless": make.pairs(*answers)})

    return build


def columns(batch) -> list:
    return [batch.chosen, batch.rejected, batch.traceless.chosen, batch.traceless.rejected]


def test_by_hand(bvpo, mixed):
    """Margins 0.3 (1 + 0.5) = 0.45 with traces and 0.3 (2 - 3) = -0.3 without, at beta 0.3.

    L = 0.2 log(1 + exp(-0.45)) + 0.8 log(1 + exp(0.3)) = 0.2 * 0.4932 + 0.8 * 0.8544 = 0.7821.
    """
    batch = mixed(([-10.0], [-12.0], [-11.0], [-11.5]), ([-4.0], [-5.0], [-6.0], [-8.0]))
    expected = 0.2 * math.log(1 + math.exp(-0.45)) + 0.8 * math.log(1 + math.exp(0.3))
    assert bvpo(batch, alpha=0.2, beta=0.3).item() == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx(0.7821, abs=1e-4)


def trl(numbers, beta: float) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Losses [3] of TRL's `sigmoid`, pair by pair, and their gradients on chosen and rejected."""
    policy = [torch.tensor(side).double().requires_grad_() for side in numbers[:2]]
    losses = [
        trl_losses.dpo(
            "sigmoid",
            [side[pair : pair + 1] for side in policy],
            [torch.tensor(side[pair : pair + 1]).double() for side in numbers[2:]],
            beta=beta,
        )
        for pair in range(3)
    ]
    return torch.stack(losses).detach(), torch.autograd.grad(sum(losses), policy)


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.3), (0.7, 0.05), (0.5, 0.1)])
def test_trl(bvpo, mixed, make, alpha, beta):
    """Source: TRL's own `sigmoid`, executed on both kinds of pairs; losses and all gradients."""
    batch = mixed(TRACES, ANSWERS)
    losses = bvpo(batch, alpha=alpha, beta=beta)
    (with_traces, outer), (without, inner) = trl(TRACES, beta), trl(ANSWERS, beta)
    torch.testing.assert_close(losses, alpha * with_traces + (1 - alpha) * without)
    expected = [alpha * side for side in outer] + [(1 - alpha) * side for side in inner]
    for column, gradient in zip(columns(batch), expected, strict=True):
        torch.testing.assert_close(make.gradient(losses, column), gradient)


def test_defaults_are_the_papers(bvpo, mixed):
    """Source: alpha 0.5 of appendix C.1; beta is DPO's."""
    batch = mixed(TRACES, ANSWERS)
    expected = 0.5 * trl(TRACES, 0.1)[0] + 0.5 * trl(ANSWERS, 0.1)[0]
    torch.testing.assert_close(bvpo(batch), expected)


def test_at_the_reference(bvpo, mixed, make):
    batch = mixed(([-7.0], [-9.0], [-7.0], [-9.0]), ([-2.0], [-3.0], [-2.0], [-3.0]))
    losses = bvpo(batch, alpha=0.2, beta=0.3)
    assert losses.item() == pytest.approx(math.log(2))
    found = [make.gradient(losses, column).item() for column in columns(batch)]
    assert found == pytest.approx([-0.03, 0.03, -0.12, 0.12])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_the_ends_are_dpo_on_one_kind_alone(bvpo, load, mixed, make, chosen, rejected, beta):
    here, elsewhere = ([chosen], [rejected]), ([-3.0], [-1.0])
    expected = load("dpo")(make.pairs(*here), beta=beta)
    torch.testing.assert_close(bvpo(mixed(here, elsewhere), alpha=1.0, beta=beta), expected)
    torch.testing.assert_close(bvpo(mixed(elsewhere, here), alpha=0.0, beta=beta), expected)


@given(chosen=nats, rejected=nats, alpha=st.floats(0, 1))
def test_without_traces_it_is_dpo(bvpo, load, mixed, make, chosen, rejected, alpha):
    same = [chosen], [rejected]
    expected = load("dpo")(make.pairs(*same))
    torch.testing.assert_close(bvpo(mixed(same, same), alpha=alpha), expected)


@given(alpha=st.floats(0, 1), other=nats)
def test_another_trace_moves_the_gradient_by_alpha(bvpo, mixed, make, alpha, other):
    """Source: Theorem 1: the gradient's deviation over traces is alpha times DPO's."""

    def whole(trace: float, weight: float) -> torch.Tensor:
        batch = mixed(([trace], [-20.0]), ([-4.0], [-5.0]))
        losses = bvpo(batch, alpha=weight)
        return torch.stack([make.gradient(losses, column) for column in columns(batch)])

    moved = whole(other, alpha) - whole(-20.0, alpha)
    torch.testing.assert_close(moved, alpha * (whole(other, 1.0) - whole(-20.0, 1.0)))
