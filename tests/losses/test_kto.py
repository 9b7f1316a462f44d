"""KTO: hand-worked responses, a golden number, and the shared reference point."""

import math
from dataclasses import replace

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

ratios = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def kto(load):
    return load("kto")


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_by_hand(kto, make):
    """z_0 = mean(4, -2) = 1; desirable at 3: 1 - sigma(.2); undesirable at 3: 1 - sigma(-.2)."""
    batch = make.singles([3.0, 3.0], [True, False], mismatched=[4.0, -2.0])
    expected = [1 - sigmoid(0.2), 1 - sigmoid(-0.2)]
    assert kto(batch, beta=0.1).tolist() == pytest.approx(expected, abs=1e-12)


def test_golden(kto, make, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits): six responses, mean log-ratio of y' 0.3."""
    policy = [row[0] for row in golden_zoo.rows] + [row[1] for row in golden_zoo.rows]
    reference = [row[2] for row in golden_zoo.rows] + [row[3] for row in golden_zoo.rows]
    desirable = [True] * 3 + [False] * 3
    batch = make.singles(policy, desirable, reference, mismatched=[0.3] * 6)
    expected = golden_zoo.values["kto z0=max(0,mean of given KL logratios=0.3)"]
    assert kto(batch, beta=0.1).mean().item() == pytest.approx(expected, abs=1e-13)


def test_trl(kto, make, golden_zoo):
    """Source: TRL's own `kto`, executed, at the same six log-ratios of y'."""
    policy = [row[0] for row in golden_zoo.rows] + [row[1] for row in golden_zoo.rows]
    reference = [row[2] for row in golden_zoo.rows] + [row[3] for row in golden_zoo.rows]
    desirable, other = [True] * 3 + [False] * 3, [0.3, -0.2, 1.5, 0.1, 0.0, 2.0]
    batch = make.singles(policy, desirable, reference, mismatched=other)
    expected = trl_losses.kto(
        "kto",
        golden_zoo.policy,
        golden_zoo.reference,
        torch.tensor(desirable),
        torch.tensor(other, dtype=torch.float64),
        undesirable_weight=2.0,
    )
    found = kto(batch, beta=0.1, undesirable_weight=2.0).mean()
    torch.testing.assert_close(found, expected)


@given(mismatched=ratios)
def test_reference_point_is_a_clamped_mean_without_gradient(kto, make, mismatched):
    batch = make.singles([0.5], [True], mismatched=mismatched)
    losses = kto(batch, beta=0.1)
    point = max(0.0, sum(mismatched) / len(mismatched))
    assert losses.item() == pytest.approx(1 - sigmoid(0.1 * (0.5 - point)), abs=1e-12)
    losses.sum().backward()
    assert batch.mismatched.policy.grad is None


def test_weights_scale_their_class(kto, make):
    batch = make.singles([1.0, -1.0], [True, False], mismatched=[0.2, 0.2])
    plain = kto(batch)
    weighted = kto(batch, desirable_weight=2.0, undesirable_weight=3.0)
    torch.testing.assert_close(weighted, plain * torch.tensor([2.0, 3.0]).double())


def test_weights_balance_the_classes(kto, make):
    """1 undesirable response among 99 desirable ones, weighted 99, pushes as hard as they do."""
    batch = make.singles([3.0] * 100, [True] * 99 + [False], mismatched=[0.5] * 100)
    slopes = make.gradient(kto(batch, undesirable_weight=99.0), batch.completion)
    assert slopes[99].item() == pytest.approx(-slopes[:99].sum().item()) != 0


def test_losses_stay_between_zero_and_one(kto, make):
    batch = make.singles([-1e4, 1e4, -1e4, 1e4], [True, True, False, False], mismatched=[0.0])
    assert kto(batch).tolist() == pytest.approx([1, 0, 0, 1])


def test_reference_point_is_of_log_ratios(kto, make):
    """As by hand above, the mismatched log-ratios 4 and -2 being -6 - -10 and -5 - -3."""
    batch = make.singles([3.0, 3.0], [True, False], mismatched=[-6.0, -5.0])
    needed = {"reference": torch.tensor([-10.0, -3.0]).double()}
    batch = replace(batch, mismatched=replace(batch.mismatched, needed=needed))
    expected = [1 - sigmoid(0.2), 1 - sigmoid(-0.2)]
    assert kto(batch, beta=0.1).tolist() == pytest.approx(expected, abs=1e-12)


def test_defaults(kto, make):
    batch = make.singles([1.0, -1.0], [True, False], mismatched=[0.2, 0.4])
    stated = kto(batch, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0)
    assert torch.equal(kto(batch), stated)
