"""Gradient ascent: hand-worked completions, a golden number, nothing on what is retained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def gradient_ascent(load):
    return load("gradient_ascent")


def test_by_hand(gradient_ascent, make):
    """Forget -12 and -3 nats, retain -10: L = -12, 0, -3 with gradients 1, 0, 1."""
    batch = make.singles([-12.0, -10.0, -3.0], [False, True, False])
    losses = gradient_ascent(batch)
    assert losses.tolist() == [-12, 0, -3]
    assert make.gradient(losses, batch.completion).tolist() == [1, 0, 1]


def test_golden(gradient_ascent, make, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits): the three rejected completions."""
    losses = gradient_ascent(make.singles([row[1] for row in golden_zoo.rows], [False] * 3))
    expected = golden_zoo.values["ga on rejected"]
    assert losses.mean().item() == pytest.approx(expected, abs=1e-12)


@given(policy=st.floats(-1e4, 0), further=st.floats(-1e4, 0), desirable=st.booleans())
def test_falls_without_end_where_it_forgets(gradient_ascent, make, policy, further, desirable):
    batch = make.singles([policy, policy + further], [desirable] * 2)
    here, there = gradient_ascent(batch).tolist()
    assert there - here == pytest.approx(0 if desirable else further, abs=1e-9)
