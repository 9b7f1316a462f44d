"""f-SFT with the squared Hellinger divergence: the conjugate by search, its tangent, its limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def f_sft_hellinger(load):
    return load("f_sft_hellinger")


@pytest.fixture(scope="module")
def low_lr_sft(load):
    return load("low_lr_sft")


def conjugate(slope: float) -> float:
    """Source: the definition: sup over t >= 0 of u t - f(t), f(t) = (sqrt t - 1)^2, on a grid."""
    return max(slope * t / 1000 - ((t / 1000) ** 0.5 - 1) ** 2 for t in range(10_000))


def test_by_hand(f_sft_hellinger, make):
    """r = 0.3 * 2 = 0.6: -0.6 / 1.6 = -0.375, with gradient -0.3 / 1.6^2."""
    batch = make.pairs([-10.0], [-50.0], [-12.0], [-3.0])
    losses = f_sft_hellinger(batch, beta=0.3)
    assert losses.item() == pytest.approx(-0.375, abs=1e-12)
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.3 / 2.56, abs=1e-12)


@pytest.mark.parametrize("ratio", [-2.5, -2.0, -1.0, 0.0, 1.0, 7.0, 20.0])
def test_is_the_conjugate(f_sft_hellinger, make, ratio):
    """-phi(x) = f*(-x)."""
    found = f_sft_hellinger(make.pairs([ratio], [0.0]), beta=0.2).item()
    assert found == pytest.approx(conjugate(-0.2 * ratio), abs=1e-6)


def test_tangent(f_sft_hellinger, make):
    """At r = -1/2 the loss is 1 with slope -4 beta; at r = -3 it is 1 + 4 * 2.5 = 11."""
    batch = make.pairs([-2.5, -2.500001, -15.0], [0.0] * 3)
    losses = f_sft_hellinger(batch, beta=0.2)
    assert losses.tolist() == pytest.approx([1, 1, 11], abs=1e-5)
    assert make.gradient(losses, batch.chosen).tolist()[1:] == pytest.approx([-0.8, -0.8])


def test_at_the_reference(f_sft_hellinger, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-3.0])
    losses = f_sft_hellinger(batch, beta=0.3)
    assert losses.item() == 0
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.3)


@given(ratio=st.floats(-1e4, 1e4))
def test_bounded_below_and_always_up(f_sft_hellinger, make, ratio):
    batch = make.pairs([ratio], [0.0])
    losses = f_sft_hellinger(batch)
    assert losses.item() > -1
    assert make.gradient(losses, batch.chosen).item() < 0


@given(chosen=st.floats(-100, 0), reference=st.floats(-100, 0))
def test_is_sft_for_a_small_beta(f_sft_hellinger, low_lr_sft, make, chosen, reference):
    """Completions of `make` have five tokens, over which SFT takes the mean."""
    batch = make.pairs([chosen], [0.0], [reference])
    found = f_sft_hellinger(batch, beta=1e-7).item() / 1e-7
    assert found == pytest.approx(5 * low_lr_sft(batch).item() + reference, abs=2e-3)


def test_default(f_sft_hellinger, make):
    """At a log-ratio of 5 the default 0.1 gives r = 0.5."""
    assert f_sft_hellinger(make.pairs([5.0], [0.0])).item() == pytest.approx(-0.5 / 1.5)
