"""BCO with underlying-distribution matching: hand-worked weights, and `bco` without them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

RATIOS, LABELS = [2.0, 0.5, -1.0, -3.0, 5.0], [True, False, True, False, True]


@pytest.fixture(scope="module")
def bco_udm(load):
    return load("bco_udm")


@pytest.fixture
def weighed(make):
    """Singles with propensities."""

    def build(propensity, ratios=RATIOS, labels=LABELS, reference=0.0):
        needed = {"propensity": torch.tensor(propensity, dtype=torch.float64)}
        return replace(make.singles(ratios, labels, reference), needed=needed)

    return build


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_by_hand(bco_udm, weighed):
    """delta = .3 * .7; the undesirable ones weigh .6 / .4 = 1.5 and .2 / .8 = .25."""
    found = bco_udm(weighed([0.9, 0.6, 0.3, 0.2, 0.5]), beta=0.3, min_density_ratio=0.125)
    expected = [
        softplus(-0.3 * 1.3),
        1.5 * softplus(0.3 * -0.2),
        softplus(-0.3 * -1.7),
        0.25 * softplus(0.3 * -3.7),
        softplus(-0.3 * 4.3),
    ]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(bco_udm, weighed):
    """That of `bco`, times the weight, and nothing through delta."""
    batch = weighed([0.9, 0.6, 0.3, 0.2, 0.5])
    losses = bco_udm(batch, beta=0.3, min_density_ratio=0.125)
    (found,) = torch.autograd.grad(losses.sum(), batch.completion.policy)
    advantages, weights = [1.3, -0.2, -1.7, -3.7, 4.3], [1, 1.5, 1, 0.25, 1]
    expected = [
        -0.3 / (1 + math.exp(0.3 * value)) if good else 0.3 * weight / (1 + math.exp(-0.3 * value))
        for value, weight, good in zip(advantages, weights, LABELS, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_weights_are_clamped(bco_udm, weighed):
    """1/9 and 19 at limits of 1/4 and 3; 0 and 1 at the authors' 1/2 and 10."""
    labels, ratios = [False, False], [1.0, 1.0]
    found = bco_udm(
        weighed([0.1, 0.95], ratios, labels), min_density_ratio=0.25, max_density_ratio=3.0
    )
    assert found.tolist() == pytest.approx([math.log(2) / 4, 3 * math.log(2)])
    found = bco_udm(weighed([0.0, 1.0], ratios, labels))
    assert found.tolist() == pytest.approx([math.log(2) / 2, 10 * math.log(2)])


@given(ratios=st.lists(st.floats(-20, 20), min_size=5, max_size=5), beta=st.floats(0.01, 2))
def test_at_equal_densities_it_is_bco(bco_udm, load, make, ratios, beta):
    needed = {"propensity": torch.full((5,), 0.5, dtype=torch.float64)}
    batch = replace(make.singles(ratios, LABELS), needed=needed)
    torch.testing.assert_close(bco_udm(batch, beta=beta), load("bco")(batch, beta=beta))


def test_at_the_reference(bco_udm, make, weighed):
    batch = weighed([0.7, 0.8], [-4.0, -7.0], [True, False], [-4.0, -7.0])
    losses = bco_udm(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2), 4 * math.log(2)])
    assert make.gradient(losses, batch.completion).tolist() == pytest.approx([-0.15, 0.6])


def test_defaults(bco_udm, weighed):
    batch = weighed([0.5, 0.1, 0.5, 0.99, 0.5])
    stated = bco_udm(batch, beta=0.01, min_density_ratio=0.5, max_density_ratio=10.0)
    assert torch.equal(bco_udm(batch), stated)
