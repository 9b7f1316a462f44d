"""GPO with the truncated quadratic: hand-worked pairs, where it stops, and IPO below it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def gpo_truncated_quadratic(load):
    return load("gpo_truncated_quadratic")


def by_hand(chosen, rejected, chosen_reference, rejected_reference, *_) -> list[float]:
    """max(0, 1 - u)^2 and its slopes at beta = 0.3, by hand."""
    margin = 0.3 * ((chosen - chosen_reference) - (rejected - rejected_reference))
    short = max(0.0, 1 - margin)
    return [short * short, -2 * 0.3 * short, 2 * 0.3 * short]


def test_numbers(gpo_truncated_quadratic, make):
    """u = -1, 1/2, 1, 3: 4, 1/4, 0, 0."""
    batch = make.pairs([-0.5, 0.25, 0.5, 1.5], [0.0] * 4)
    found = gpo_truncated_quadratic(batch, beta=2.0).tolist()
    assert found == pytest.approx([4.0, 0.25, 0.0, 0.0], abs=1e-12)


def test_by_hand(gpo_truncated_quadratic, make, golden_zoo):
    """The first pair is beyond the goal, the second wrong, the third at the reference."""
    expected = torch.tensor([by_hand(*row) for row in golden_zoo.rows], dtype=torch.float64).T
    losses = gpo_truncated_quadratic(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(gpo_truncated_quadratic, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(gpo_truncated_quadratic(batch, beta=0.3), batch)[:, 0].tolist()
    assert found == pytest.approx([1.0, -0.6, 0.6])


@given(margin=st.floats(-100, 2), beta=st.floats(0.01, 0.5))
def test_short_of_its_goal_it_is_the_square_of_ipo(gpo_truncated_quadratic, make, margin, beta):
    """Source: Eq. (17), arXiv:2310.12036v2, at tau = beta / 2, times beta^2."""
    found = gpo_truncated_quadratic(make.pairs([margin], [0.0]), beta=beta).item()
    assert found == pytest.approx(beta**2 * (margin - 1 / beta) ** 2, abs=1e-9)


@given(beyond=st.floats(0, 1e4), beta=st.floats(0.01, 1))
def test_nothing_beyond_its_goal(gpo_truncated_quadratic, make, beyond, beta):
    batch = make.pairs([(1 + beyond) / beta], [0.0])
    losses = gpo_truncated_quadratic(batch, beta=beta)
    assert make.with_slopes(losses, batch).abs().max() < 1e-12


def test_default(gpo_truncated_quadratic, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(gpo_truncated_quadratic(batch), gpo_truncated_quadratic(batch, beta=0.1))
