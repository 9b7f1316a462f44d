"""General preference optimization: lists worked by hand, its optimum, a pull to the reference."""

import pytest
import torch
from differences import slopes
from hypothesis import given
from hypothesis import strategies as st

POLICY = [[-10.0, -12.5, -7.0, -9.0], [-3.0, -8.0, -2.5, -30.0]]
REFERENCE = [[-11.0, -11.5, -8.0, -7.0], [-4.5, -5.0, -2.0, -26.0]]
SCORES = [[0.5, 1.0, 0.0, 0.7], [0.9, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def general_po(load):
    return load("general_po")


def by_definition(policy, reference, scores, beta, scale) -> float:
    """Source: Eqs. (5.2) and (5.3), arXiv:2410.02197v3, pair by pair."""
    total = 0.0
    for one, other, score in zip(policy, reference, scores, strict=True):
        against = [scale * (score - rival) for rival in scores]
        total += (one - other - sum(against) / len(against) / beta) ** 2
    return total / len(scores)


def test_by_hand(general_po, make):
    """h = 1, -0.5; s = 1/2, -1/2; targets +-5 at beta 0.1: ((1 - 5)^2 + (-0.5 + 5)^2) / 2."""
    batch = make.lists([[-10.0, -12.0]], [[1.0, 0.0]], [[-11.0, -11.5]])
    assert general_po(batch, beta=0.1).item() == pytest.approx((16 + 20.25) / 2, abs=1e-12)


def test_each_list_and_its_gradient(general_po, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    losses = general_po(batch, beta=0.3, scale=1.7)
    found = make.gradient(losses, batch.completions)
    for row, (policy, *others) in enumerate(zip(POLICY, REFERENCE, SCORES, strict=True)):
        others = [*others, 0.3, 1.7]
        assert losses[row].item() == pytest.approx(by_definition(policy, *others), abs=1e-12)
        expected = slopes(lambda point, others=others: by_definition(point, *others), policy)
        assert found[row].tolist() == pytest.approx(expected, abs=1e-7)


def test_at_the_reference(general_po, make):
    """h = 0: the mean square of the targets +-2.5, with gradient -(2/N) times the target."""
    batch = make.lists([[-7.0, -9.0]], [[0.5, 1.0]], [[-7.0, -9.0]])
    losses = general_po(batch, beta=0.1)
    assert losses.item() == pytest.approx(2.5**2)
    assert make.gradient(losses, batch.completions)[0].tolist() == pytest.approx([2.5, -2.5])


@given(scores=st.lists(st.floats(0, 1), min_size=2, max_size=5), shift=st.floats(-1, 1))
def test_optimum_and_only_differences_of_scores(general_po, make, scores, shift):
    centred = [score - sum(scores) / len(scores) for score in scores]
    batch = make.lists([[2 * score / 0.1 for score in centred]], [scores])
    assert general_po(batch, beta=0.1, scale=2.0).item() == pytest.approx(0, abs=1e-9)
    moved = make.lists([[0.0] * len(scores)], [[score + shift for score in scores]])
    still = make.lists([[0.0] * len(scores)], [scores])
    assert general_po(moved, beta=0.1).item() == pytest.approx(general_po(still, beta=0.1).item())


def test_equal_scores_pull_to_the_reference(general_po, make):
    assert general_po(make.lists([[1.0, -3.0]], [[0.4, 0.4]])).item() == pytest.approx(5)


def test_only_the_quotient_of_scale_and_beta_counts(general_po, make):
    batch = make.lists(POLICY, SCORES, REFERENCE)
    torch.testing.assert_close(
        general_po(batch, beta=0.1, scale=0.5), general_po(batch, beta=0.4, scale=2.0)
    )


def test_default_is_the_authors_beta(general_po, make):
    """Their scripts' 0.001: targets of +-500 nats for scores of 1 and 0."""
    assert general_po(make.lists([[500.0, -500.0]], [[1.0, 0.0]])).item() == pytest.approx(0)
