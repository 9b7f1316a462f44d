"""BCO: hand-worked responses, TRL's loss without a shift, and what the shift takes away."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

RATIOS, LABELS = [2.0, 0.5, -1.0, -3.0, 5.0], [True, False, True, False, True]
ratios = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def bco(load):
    return load("bco")


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_by_hand(bco, make):
    """delta = .3 * (2 + .5 - 1 - 3 + 5) / 5 = .3 * .7; rewards less it are .3 * (1.3, -.2, ...)."""
    found = bco(make.singles(RATIOS, LABELS), beta=0.3).tolist()
    expected = [
        softplus(-0.3 * 1.3),
        softplus(0.3 * -0.2),
        softplus(-0.3 * -1.7),
        softplus(0.3 * -3.7),
        softplus(-0.3 * 4.3),
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(bco, make):
    """-.3 sigma(-(r - delta)) or +.3 sigma(r - delta), and nothing through delta."""
    batch = make.singles(RATIOS, LABELS)
    found = make.gradient(bco(batch, beta=0.3), batch.completion).tolist()
    advantages = [0.3 * 1.3, 0.3 * -0.2, 0.3 * -1.7, 0.3 * -3.7, 0.3 * 4.3]
    expected = [
        -0.3 / (1 + math.exp(value)) if good else 0.3 / (1 + math.exp(-value))
        for value, good in zip(advantages, LABELS, strict=True)
    ]
    assert found == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)  # the first one imports TRL
@given(values=ratios, beta=st.floats(0.01, 2))
def test_trl_where_the_shift_is_zero(bco, make, values, beta):
    """Source: TRL's own `bco_pair`, executed, on pairs whose log-ratios cancel: value, gradient."""
    both = values + [-value for value in reversed(values)]
    batch = make.singles(both, [True] * len(values) + [False] * len(values))
    policy, reference = batch.completion.policy[:, None], batch.completion.reference[:, None]
    expected = trl_losses.dpo("bco_pair", list(policy), list(reference), beta=beta)
    found = 2 * bco(batch, beta=beta).mean()  # TRL has a term of each label to a pair
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    gradients = (make.gradient(mean, batch.completion) for mean in (found, expected))
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


@given(constant=st.floats(-50, 50))
def test_a_constant_changes_nothing(bco, make, constant):
    shifted = bco(make.singles([ratio + constant for ratio in RATIOS], LABELS), beta=0.3)
    torch.testing.assert_close(shifted, bco(make.singles(RATIOS, LABELS), beta=0.3))


def test_at_the_reference(bco, make):
    batch = make.singles([-4.0, -7.0], [True, False], [-4.0, -7.0])
    losses = bco(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.gradient(losses, batch.completion).tolist() == pytest.approx([-0.15, 0.15])


def test_default_is_one_hundredth(bco, make):
    batch = make.singles(RATIOS, LABELS)
    assert torch.equal(bco(batch), bco(batch, beta=0.01))
