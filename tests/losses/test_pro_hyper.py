"""PRO with r_H: its definition in 50 digits, what it agrees with, and that the mass is clamped."""

import math

import pro_losses
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline.plugins import method_spec

likely = st.floats(-8, -1.5)


@pytest.fixture(scope="module")
def pro_hyper(load):
    return load("pro_hyper")


def test_by_hand(pro_hyper, make):
    """pi = 1/2, 1/4 from 1/4, 1/4: r = log 2, 0 and r_H = log (1/4 / 1/2) = -log 2; s = +-1/2.

    N = 2, eta = 1/2: masses 1/4, 1/4, 1/2. L = -log(2) / 4 + 4 [ K(log 2) / 16 + K(log 4) / 8
    + K(log 2) / 8 ], K(log 2) = -log(2/9) / 2, K(log 4) = -log(4/25) / 2.
    """
    batch = make.lists([[math.log(1 / 2), math.log(1 / 4)]], [[1.0, 0.0]], [[math.log(1 / 4)] * 2])
    found = pro_hyper(batch, beta=1.0, alpha=4.0, eta=0.5)
    two, four = -math.log(2 / 9) / 2, -math.log(4 / 25) / 2
    expected = -math.log(2) / 4 + 4 * (two / 16 + four / 8 + two / 8)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "reference", "scores", "beta", "alpha", "eta"),
    [
        ([-1.0, -2.0], [-1.5, -2.5], [1.0, 0.0], 0.1, 2.25, 2 / 3),
        ([-3.0, -2.5, -0.4], [-1.5, -4.0, -2.0], [0.9, 0.2, 0.3], 0.7, 3.5, 0.55),
        ([-3.0, -1.2, -2.5, -20.0], [-1.1, -3.8, -2.0, -29.0], [0.1, 0.7, 1, 0.4], 0.3, 9, 0.9),
        ([-0.01], [-3.0], [0.8], 0.2, 5.0, 0.5),
    ],
)
def test_definition(pro_hyper, make, policy, reference, scores, beta, alpha, eta):
    """Source: `pro_losses`, mpmath at 50 digits, r_H included."""
    centred = [score - sum(scores) / len(scores) for score in scores]

    def defined(values):
        found = pro_losses.rewards(values, reference, beta)
        hyper = pro_losses.rest(values, reference, beta)
        return pro_losses.loss(found, centred, hyper, alpha, eta)

    batch = make.lists([policy], [scores], [reference])
    losses = pro_hyper(batch, beta=beta, alpha=alpha, eta=eta)
    expected = defined(policy) + pro_losses.constant(len(policy), alpha, eta)
    assert losses.item() == pytest.approx(float(expected), abs=1e-12)
    found = make.gradient(losses, batch.completions)[0].tolist()
    assert found == pytest.approx(pro_losses.slopes(defined, policy), abs=1e-11)


def test_defaults_are_those_of_pro(pro_hyper, load, make):
    batch = make.lists([[-51.0, -55.0, -62.0]], [[0.3, 1.0, 0.0]], [[-50.0, -57.0, -60.0]])
    torch.testing.assert_close(pro_hyper(batch), load("pro")(batch))


def at_reference(pro_hyper, make, levels: list[float]) -> torch.Tensor:
    batch = make.lists([levels], [[0.9, 0.2, 0.4]], [levels])
    return make.gradient(pro_hyper(batch, beta=0.1, alpha=6.0, eta=0.75), batch.completions)[0]


@given(levels=st.lists(likely, min_size=3, max_size=3))
def test_at_the_reference_only_the_push_is_left(pro_hyper, make, levels):
    """Source: r_H = 0 and K'(0) = 0 there: dL/dlogp = -beta s / N."""
    expected = [-0.1 * score / 3 for score in (0.4, -0.3, -0.1)]
    assert at_reference(pro_hyper, make, levels).tolist() == pytest.approx(expected, abs=1e-12)


@given(policy=likely, reference=likely, alpha=st.floats(0.5, 5), eta=st.floats(0.05, 0.95))
def test_one_response_is_pro_b_hyper_without_a_push(
    pro_hyper, load, make, policy, reference, alpha, eta
):
    """Source: Appendix D: PRO-B's coefficient is alpha eta (1 - eta)."""
    found = pro_hyper(make.lists([[policy]], [[0.7]], [[reference]]), alpha=alpha, eta=eta)
    both = make.singles([policy, policy], [True, False], reference)
    held = load("pro_b_hyper")(both, alpha=alpha * eta * (1 - eta))
    torch.testing.assert_close(found, held.mean(0, keepdim=True))


@pytest.mark.parametrize(("level", "least", "most"), [(-1.0, 1e-2, 5e-2), (-10.0, 1e-7, 5e-6)])
def test_what_dropping_it_costs(pro_hyper, load, make, level, least, most):
    """Source: a calculation apart, at beta = 0.1 and other references: the relative error of the
    gradient is 1.4e-2 for two responses at -1, and 1.3e-6 at -10."""
    gradients = []
    for loss in (pro_hyper, load("pro")):
        batch = make.lists([[level] * 2], [[0.75, 0.25]], [[level - 1, level + 0.5]])
        losses = loss(batch, beta=0.1, alpha=2.25, eta=2 / 3)
        gradients.append(make.gradient(losses, batch.completions))
    kept, dropped = gradients
    assert least < ((kept - dropped).norm() / kept.norm()).item() < most


@pytest.mark.parametrize("policy", [[-0.1, -0.1], [0.0, -30.0], [-0.5, -0.5, -0.5], [-1e-9]])
def test_a_mass_of_one_is_clamped(pro_hyper, make, policy):
    """A response that stands twice counts twice; the loss stays finite, in float32 too."""
    scores = [[0.9, 0.1, 0.4][: len(policy)]]
    batch = make.lists([policy], scores, [[-3.0] * len(policy)])
    losses = pro_hyper(batch, beta=1.0)
    assert losses.isfinite().all()
    assert make.gradient(losses, batch.completions).isfinite().all()
    rest = math.log(-math.expm1(-1e-4)) - math.log(1 - len(policy) * math.exp(-3.0))
    rewards = [value + 3.0 for value in policy]
    centred = [value - sum(scores[0]) / len(policy) for value in scores[0]]
    expected = pro_losses.loss(rewards, centred, rest, 6.25, 0.8)
    expected += pro_losses.constant(len(policy), 6.25, 0.8)
    assert losses.item() == pytest.approx(float(expected), rel=1e-9)


def test_bound_is_that_of_pro():
    specs = method_spec("pro_hyper"), method_spec("pro")
    assert specs[0].card.optimum == specs[1].card.optimum
