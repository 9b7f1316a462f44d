"""Conservative DPO: a golden number, TRL's smoothing, and where the margin rests."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def cdpo(load):
    return load("cdpo")


def formula(chosen, rejected, chosen_reference, rejected_reference, *tokens) -> float:
    """The loss at beta = 0.3, epsilon = 0.2."""
    margin = 0.3 * (chosen - chosen_reference - rejected + rejected_reference)
    kept, flipped = math.log1p(math.exp(-margin)), math.log1p(math.exp(margin))
    return 0.8 * kept + 0.2 * flipped


def test_losses_and_slopes(cdpo, make, golden_zoo):
    """Source: the formula in plain floats; slopes by central differences."""
    losses = cdpo(golden_zoo.pairs, beta=0.3, epsilon=0.2)
    expected = make.by_hand(formula, golden_zoo.rows)
    torch.testing.assert_close(
        make.with_slopes(losses, golden_zoo.pairs), expected, rtol=1e-6, atol=1e-8
    )


def test_golden(cdpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = cdpo(golden_zoo.pairs, beta=0.1, epsilon=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["cdpo eps=.1"], abs=1e-9)


def test_trl(cdpo, golden_zoo):
    """Source: TRL's own `sigmoid` of CPOTrainer with label smoothing, executed on log-ratios."""
    ratios = golden_zoo.pairs.chosen.logratio, golden_zoo.pairs.rejected.logratio
    expected = trl_losses.cpo("sigmoid", *ratios, beta=0.3, label_smoothing=0.2)
    torch.testing.assert_close(cdpo(golden_zoo.pairs, beta=0.3, epsilon=0.2), expected)


@given(epsilon=st.floats(0.01, 0.49), beta=st.floats(0.05, 1))
def test_rests_where_the_label_is_as_likely_as_it_is_right(cdpo, make, epsilon, beta):
    """sigma(margin) = 1 - epsilon."""
    batch = make.pairs([math.log((1 - epsilon) / epsilon) / beta], [0.0])
    found = make.with_slopes(cdpo(batch, beta=beta, epsilon=epsilon), batch)[1:]
    torch.testing.assert_close(found, torch.zeros_like(found), atol=1e-9, rtol=0)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_without_flips_it_is_dpo(cdpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(cdpo(batch, beta=beta, epsilon=0.0), load("dpo")(batch, beta=beta))
