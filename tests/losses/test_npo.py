"""NPO: hand-worked completions, a golden number, gradient ascent as its limit."""

import math

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Singles

POLICY = [-10.0, -12.5, -7.0, -9.0]
REFERENCE = [-11.0, -11.5, -8.0, -3.0]
TOKENS = [4, 5, 2, 8]
DESIRABLE = [True, False, False, True]


@pytest.fixture(scope="module")
def npo(load):
    return load("npo")


@pytest.fixture(scope="module")
def gradient_ascent(load):
    return load("gradient_ascent")


def singles(policy, reference, tokens, desirable) -> Singles:
    policy = torch.tensor(policy, dtype=torch.float64, requires_grad=True)
    needed = {"reference": torch.tensor(reference, dtype=torch.float64)}
    return Singles(Completions(policy, torch.tensor(tokens), needed), torch.tensor(desirable))


def by_definition(policy, reference, tokens, desirable, beta, weight) -> float:
    """Source: Eq. (3), arXiv:2404.05868v1, and a token mean of the likelihood."""
    if desirable:
        return -weight * policy / tokens
    return 2 / beta * math.log(1 + math.exp(policy - reference) ** beta)


def test_by_hand(npo):
    """Forget at h = -0.5: 20 log(1 + e^-0.05). Retain -12 nats of 5 tokens: 12/5."""
    batch = singles([-12.0, -12.0], [-11.5, -11.5], [5, 5], [False, True])
    expected = [20 * math.log(1 + math.exp(-0.05)), 2.4]
    assert npo(batch, beta=0.1).tolist() == pytest.approx(expected, abs=1e-12)


def test_golden(npo, make, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits): the three rejected completions."""
    policy, reference = ([row[place] for row in golden_zoo.rows] for place in (1, 3))
    losses = npo(make.singles(policy, [False] * 3, reference), beta=0.1)
    assert losses.mean().item() == pytest.approx(golden_zoo.values["npo on rejected"], abs=1e-12)


def test_each_completion_and_its_gradient(npo, make):
    batch = singles(POLICY, REFERENCE, TOKENS, DESIRABLE)
    losses = npo(batch, beta=0.3, retain_weight=0.7)
    found = make.gradient(losses, batch.completion).tolist()
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, TOKENS, DESIRABLE, strict=True)):
        others = [*others, 0.3, 0.7]
        assert losses[row].item() == pytest.approx(by_definition(policy, *others), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(*point, *others), [policy])
        assert found[row] == pytest.approx(expected[0], abs=1e-8)


def test_at_the_reference(npo):
    batch = singles([-7.0, -8.0], [-7.0, -8.0], [5, 4], [False, True])
    losses = npo(batch, beta=0.5)
    assert losses.tolist() == pytest.approx([4 * math.log(2), 2])
    (found,) = torch.autograd.grad(losses.sum(), batch.completion.policy)
    assert found.tolist() == pytest.approx([1, -1 / 4])


@given(policy=st.floats(-50, 0), reference=st.floats(-50, 0))
def test_is_gradient_ascent_for_a_small_beta(npo, gradient_ascent, make, policy, reference):
    """Source: Proposition 1, arXiv:2404.05868v1: L - (2/beta) log 2 goes to log pi / pi_ref."""
    batch = make.singles([policy], [False], [reference])
    ascent = gradient_ascent(make.singles([policy], [False]))
    found = npo(batch, beta=1e-6) - 2e6 * math.log(2) + reference
    assert found.item() == pytest.approx(ascent.item(), abs=2e-3)
    slope = make.gradient(npo(batch, beta=1e-6), batch.completion).item()
    assert slope == pytest.approx(1, abs=1e-4)


@given(policy=st.floats(-1e4, 0), desirable=st.booleans())
def test_bounded_below(npo, make, policy, desirable):
    assert npo(make.singles([policy], [desirable], [-50.0])).item() >= 0


def test_forgotten_is_no_longer_pushed(npo, make):
    batch = make.singles([-400.0], [False], [-100.0])
    assert make.gradient(npo(batch), batch.completion).item() == pytest.approx(0, abs=1e-12)


def test_defaults(npo):
    """beta 0.1 and both coefficients 1, from the authors' config/forget.yaml."""
    batch = singles(POLICY, REFERENCE, TOKENS, DESIRABLE)
    torch.testing.assert_close(npo(batch), npo(batch, beta=0.1, retain_weight=1.0))
