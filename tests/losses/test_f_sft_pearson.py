"""f-SFT with the Pearson divergence: the conjugate by search, the optimum, SFT as its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def f_sft_pearson(load):
    return load("f_sft_pearson")


@pytest.fixture(scope="module")
def low_lr_sft(load):
    return load("low_lr_sft")


def conjugate(slope: float) -> float:
    """Source: the definition: sup over t of u t - f(t), f(t) = (t - 1)^2, on a grid of t."""
    return max(slope * t / 1000 - (t / 1000 - 1) ** 2 for t in range(-20_000, 20_001))


def test_by_hand(f_sft_pearson, make):
    """r = 0.3 * 2 = 0.6: -0.6 + 0.36 / 4 = -0.51, with gradient 0.3 (-1 + 0.3) = -0.21."""
    batch = make.pairs([-10.0], [-50.0], [-12.0], [-3.0])
    losses = f_sft_pearson(batch, beta=0.3)
    assert losses.item() == pytest.approx(-0.51, abs=1e-12)
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.21, abs=1e-12)


@pytest.mark.parametrize("ratio", [-30.0, -4.0, 0.0, 1.0, 7.0, 20.0, 50.0])
def test_is_the_conjugate(f_sft_pearson, make, ratio):
    """-phi(x) = f*(-x)."""
    found = f_sft_pearson(make.pairs([ratio], [0.0]), beta=0.2).item()
    assert found == pytest.approx(conjugate(-0.2 * ratio), abs=1e-6)


def test_at_the_reference(f_sft_pearson, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-3.0])
    losses = f_sft_pearson(batch, beta=0.3)
    assert losses.item() == 0
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.3)


@given(beta=st.floats(0.01, 2))
def test_optimum(f_sft_pearson, make, beta):
    batch = make.pairs([2 / beta], [0.0])
    losses = f_sft_pearson(batch, beta=beta)
    assert losses.item() == pytest.approx(-1)
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(0, abs=1e-9)


@given(chosen=st.floats(-100, 0), reference=st.floats(-100, 0))
def test_is_sft_for_a_small_beta(f_sft_pearson, low_lr_sft, make, chosen, reference):
    """Completions of `make` have five tokens, over which SFT takes the mean."""
    batch = make.pairs([chosen], [0.0], [reference])
    found = f_sft_pearson(batch, beta=1e-7).item() / 1e-7
    assert found == pytest.approx(5 * low_lr_sft(batch).item() + reference, abs=1e-3)


def test_default(f_sft_pearson, make):
    """At a log-ratio of 5 the default 0.1 gives r = 0.5."""
    assert f_sft_pearson(make.pairs([5.0], [0.0])).item() == pytest.approx(-0.4375)
