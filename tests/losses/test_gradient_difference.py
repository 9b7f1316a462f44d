"""Gradient difference: hand-worked completions, its symmetry, what it is made of."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Singles


@pytest.fixture(scope="module")
def gradient_difference(load):
    return load("gradient_difference")


def test_by_hand(gradient_difference, make):
    """Forget -12 nats of 5 tokens and -3 of 2, retain -10 of 4: -2.4, -1.5, 2.5."""
    policy = torch.tensor([-12.0, -3.0, -10.0], dtype=torch.float64, requires_grad=True)
    completions = Completions(policy, torch.tensor([5, 2, 4]))
    losses = gradient_difference(Singles(completions, torch.tensor([False, False, True])))
    assert losses.tolist() == pytest.approx([-2.4, -1.5, 2.5], abs=1e-12)
    assert make.gradient(losses, completions).tolist() == pytest.approx([1 / 5, 1 / 2, -1 / 4])


@given(policy=st.lists(st.floats(-1e4, 0), min_size=1, max_size=5))
def test_the_labels_exchanged_turn_the_sign(gradient_difference, make, policy):
    retained = gradient_difference(make.singles(policy, [True] * len(policy)))
    forgotten = gradient_difference(make.singles(policy, [False] * len(policy)))
    assert retained.tolist() == (-forgotten).tolist()
    assert (retained >= 0).all()


def test_is_the_retain_term_of_npo_and_the_ascent_per_token(gradient_difference, load, make):
    """Completions of `make` have five tokens."""
    batch = make.singles([-12.0, -10.0], [False, True])
    found = gradient_difference(batch)
    torch.testing.assert_close(found[0], load("gradient_ascent")(batch)[0] / 5)
    torch.testing.assert_close(found[1], load("npo")(batch)[1])
