"""Cal-DPO: a hand-worked batch, a golden number, and where it pulls each response to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def cal_dpo(load):
    return load("cal_dpo")


def test_by_hand(cal_dpo, make, golden_zoo):
    """beta 0.25: the targets are 2 and -2; the golden pairs, without beta in the sigmoid:

    h 1.5 and -10.75   log(1 + e^-12.25) + 0.5^2 + 8.75^2; slopes 2 * -0.5 and 2 * -8.75
    h -3 and 3         log(1 + e^6) + 5^2 + 5^2;           slopes 2 * -5 and 2 * 5
    h 0.5 and 0.5      log 2 + 1.5^2 + 2.5^2;              slopes 2 * -1.5 and 2 * 2.5
    """
    margins, squares = [12.25, -6.0, 0.0], [76.8125, 50.0, 8.5]
    losses = [math.log1p(math.exp(-m)) + s for m, s in zip(margins, squares, strict=True)]
    pulls = [1 / (1 + math.exp(margin)) for margin in margins]
    chosen = [-1 - pulls[0], -10 - pulls[1], -3 - pulls[2]]
    rejected = [-17.5 + pulls[0], 10 + pulls[1], 5 + pulls[2]]
    found = make.with_slopes(cal_dpo(golden_zoo.pairs, beta=0.25), golden_zoo.pairs)
    expected = torch.tensor([losses, chosen, rejected], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_golden(cal_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = cal_dpo(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["cal-dpo paper"], abs=1e-12)


def test_defaults(cal_dpo, golden_zoo):
    """Source: the authors' script for Mistral, `finetune_cal-dpo_0001.sh`."""
    assert torch.equal(cal_dpo(golden_zoo.pairs), cal_dpo(golden_zoo.pairs, beta=0.001))


@given(beta=st.floats(1e-3, 1))
def test_at_the_reference(cal_dpo, make, beta):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(cal_dpo(batch, beta=beta), batch)[:, 0].tolist()
    slope = 1 / 2 + 1 / beta
    assert found == pytest.approx([math.log(2) + 1 / (2 * beta**2), -slope, slope])


@given(beta=st.floats(1e-3, 0.02))
def test_stops_at_its_targets(cal_dpo, make, beta):
    """25 nats apart and more, the sigmoid has nothing left to ask."""
    batch = make.pairs([1 / (2 * beta)], [-1 / (2 * beta)])
    assert make.with_slopes(cal_dpo(batch, beta=beta), batch).abs().max() < 1e-9


@given(chosen=nats, rejected=nats, shift=st.floats(-50, 50))
def test_a_common_shift_costs_its_square(cal_dpo, make, chosen, rejected, shift):
    """(a + s)^2 - a^2 of each side; the targets cancel but for the sum of the log-ratios."""
    here = cal_dpo(make.pairs([chosen], [rejected]), beta=0.1).item()
    there = cal_dpo(make.pairs([chosen + shift], [rejected + shift]), beta=0.1).item()
    expected = 2 * shift * (chosen + rejected) + 2 * shift**2
    assert there - here == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(chosen=nats, rejected=nats)
def test_swapping_turns_the_signs(cal_dpo, make, chosen, rejected):
    here = cal_dpo(make.pairs([chosen], [rejected]), beta=0.05)
    there = cal_dpo(make.pairs([-rejected], [-chosen]), beta=0.05)
    torch.testing.assert_close(here, there)
