"""R-DPO: a golden number, the price of length, DPO without it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def r_dpo(load):
    return load("r_dpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """Eq. (9) at beta = 0.3, alpha = 0.07."""
    margin = 0.3 * (chosen - chosen_reference - rejected + rejected_reference)
    return math.log1p(math.exp(-margin - 0.07 * (tokens[0] - tokens[1])))


def test_losses_and_slopes(r_dpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = r_dpo(golden_zoo.pairs, beta=0.3, alpha=0.07)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(r_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = r_dpo(golden_zoo.pairs, beta=0.1, alpha=0.01).mean().item()
    assert found == pytest.approx(golden_zoo.values["r-dpo alpha=.01"], abs=1e-9)


def test_at_the_reference_the_longer_chosen_is_pushed_less(r_dpo, golden_zoo, make):
    """20 against 25 tokens, 30 against 16, 6 against 5, at alpha 0.1: sigma(.5), (-1.4), (-.1)."""
    rows = golden_zoo.rows
    batch = golden_zoo.pairs
    at = [[row[2] for row in rows], [row[3] for row in rows]]
    moved = type(batch)(
        *(
            type(side)(
                torch.tensor(values, dtype=torch.float64, requires_grad=True),
                side.tokens,
                side.needed,
            )
            for side, values in zip((batch.chosen, batch.rejected), at, strict=True)
        )
    )
    found = make.with_slopes(r_dpo(moved, beta=0.3, alpha=0.1), moved)[1]
    expected = [-0.3 / (1 + math.exp(-value)) for value in (0.5, -1.4, -0.1)]
    assert found.tolist() == pytest.approx(expected)


@given(chosen=nats, rejected=nats, alpha=st.floats(0, 1))
def test_is_dpo_at_equal_lengths(r_dpo, load, make, chosen, rejected, alpha):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(r_dpo(batch, beta=0.2, alpha=alpha), load("dpo")(batch, beta=0.2))
