"""R-DPO: a hand-worked batch, a golden number, and the price of a token."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline import Completions, Pairs

nats = st.floats(-200, 0)


@pytest.fixture(scope="module")
def r_dpo(load):
    return load("r_dpo")


def test_by_hand(r_dpo, make, golden_zoo):
    """beta 0.3, alpha 0.02; u = 0.3 (h_w - h_l) + 0.02 (|y_w| - |y_l|) of the golden pairs:

    h 1.5 and -10.75, 20 and 25 tokens    u = 0.3 * 12.25 - 0.02 * 5 = 3.575
    h -3 and 3, 30 and 16 tokens          u = 0.3 * -6 + 0.02 * 14   = -1.52
    h 0.5 and 0.5, 6 and 5 tokens         u = 0 + 0.02               = 0.02
    """
    margins = [3.575, -1.52, 0.02]
    losses = [math.log(1 + math.exp(-margin)) for margin in margins]
    slopes = [0.3 / (1 + math.exp(margin)) for margin in margins]
    expected = [losses, [-slope for slope in slopes], slopes]
    found = make.with_slopes(r_dpo(golden_zoo.pairs, beta=0.3, alpha=0.02), golden_zoo.pairs)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_golden(r_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = r_dpo(golden_zoo.pairs, beta=0.1, alpha=0.01).mean().item()
    assert found == pytest.approx(golden_zoo.values["r-dpo alpha=.01"], abs=1e-13)


def at_the_reference(chosen_tokens: int, rejected_tokens: int) -> Pairs:
    """One pair of the given lengths, untrained."""
    policy = [torch.tensor([-9.0], dtype=torch.float64, requires_grad=True) for _ in range(2)]
    counts = torch.tensor([chosen_tokens]), torch.tensor([rejected_tokens])
    sides = zip(policy, counts, strict=True)
    return Pairs(*(Completions(sums, n, {"reference": sums.detach()}) for sums, n in sides))


def test_defaults(r_dpo, golden_zoo):
    """Source: DPO's beta; alpha is ours, within the range that the paper tunes."""
    assert torch.equal(r_dpo(golden_zoo.pairs), r_dpo(golden_zoo.pairs, beta=0.1, alpha=0.01))


@given(short=st.integers(1, 50), more=st.integers(1, 50), alpha=st.floats(0.005, 1))
def test_at_the_reference(r_dpo, make, short, more, alpha):
    """A longer winner counts as won by alpha a token already, a shorter one as lost."""
    for batch, ahead in (
        (at_the_reference(short + more, short), alpha * more),
        (at_the_reference(short, short + more), -alpha * more),
    ):
        found = make.with_slopes(r_dpo(batch, beta=0.4, alpha=alpha), batch)[:, 0].tolist()
        slope = 0.4 / (1 + math.exp(ahead))
        assert found == pytest.approx([math.log(1 + math.exp(-ahead)), -slope, slope])


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1), alpha=st.floats(0, 1))
def test_on_one_length_it_is_dpo(r_dpo, load, make, chosen, rejected, beta, alpha):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    torch.testing.assert_close(r_dpo(batch, beta=beta, alpha=alpha), load("dpo")(batch, beta=beta))


def test_without_a_price_it_is_dpo(r_dpo, load, golden_zoo):
    found = r_dpo(golden_zoo.pairs, beta=0.3, alpha=0.0)
    torch.testing.assert_close(found, load("dpo")(golden_zoo.pairs, beta=0.3))
