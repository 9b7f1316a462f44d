"""PRO-P with r_H: a hand-worked pair, its definition in 50 digits, and what it generalises."""

import math

import pro_losses
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

likely = st.floats(-9, -1.2)


@pytest.fixture(scope="module")
def pro_p_hyper(load):
    return load("pro_p_hyper")


def test_by_hand(pro_p_hyper, make):
    """pi = 1/2, 1/4 from 1/4, 1/4: r = log 2, 0 and r_H = log (1/4 / 1/2) = -log 2.

    -log(2/3) - (1/2) [log(4/5) + log(1/5) + log(2/3) + log(1/3)]
    """
    batch = make.pairs([math.log(1 / 2)], [math.log(1 / 4)], [math.log(1 / 4)], [math.log(1 / 4)])
    expected = -math.log(2 / 3) - (math.log(4 / 25) + math.log(2 / 9)) / 2
    assert pro_p_hyper(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("policy", "reference", "beta"),
    [
        ([-1.0, -2.0], [-1.5, -2.5], 0.1),
        ([-0.4, -1.3], [-2.5, -0.3], 0.7),
        ([-5.0, -0.02], [-0.9, -1.7], 0.3),
        ([-57.0, -61.0], [-60.0, -58.0], 0.2),
    ],
)
def test_definition(pro_p_hyper, make, policy, reference, beta):
    """Source: `pro_losses`, mpmath at 50 digits, at eta = 2/3, alpha = 9/4, s = +-1/4, times 4."""

    def defined(values):
        found = pro_losses.rewards(values, reference, beta)
        hyper = pro_losses.rest(values, reference, beta)
        eta = pro_losses.mpf(2) / 3
        return 4 * pro_losses.loss(found, [0.25, -0.25], hyper, 2.25, eta)

    batch = make.pairs(*[[value] for value in (*policy, *reference)])
    losses = pro_p_hyper(batch, beta=beta)
    assert losses.item() == pytest.approx(float(defined(policy)) + 3 * math.log(2), abs=1e-12)
    sides = make.gradient(losses, batch.chosen), make.gradient(losses, batch.rejected)
    expected = pro_losses.slopes(defined, policy)
    assert [side.item() for side in sides] == pytest.approx(expected, abs=1e-11)


def test_at_the_reference(pro_p_hyper, make):
    batch = make.pairs([-1.0], [-2.0], [-1.0], [-2.0])
    losses = pro_p_hyper(batch, beta=0.3)
    assert losses.item() == pytest.approx(3 * math.log(2))
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.15)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.15)


@given(chosen=likely, rejected=likely, chosen_reference=likely, rejected_reference=likely)
def test_is_four_times_the_general_one(
    pro_p_hyper, load, make, chosen, rejected, chosen_reference, rejected_reference
):
    pair = make.pairs([chosen], [rejected], [chosen_reference], [rejected_reference])
    listed = make.lists(
        [[chosen, rejected]], [[0.75, 0.25]], [[chosen_reference, rejected_reference]]
    )
    general = load("pro_hyper")(listed, beta=0.4, alpha=9 / 4, eta=2 / 3)
    torch.testing.assert_close(pro_p_hyper(pair, beta=0.4), 4 * general)


@given(chosen=st.floats(-90, -35), rejected=st.floats(-90, -35))
def test_is_pro_p_where_both_are_improbable(pro_p_hyper, load, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected], [-60.0], [-60.0])
    torch.testing.assert_close(pro_p_hyper(batch), load("pro_p")(batch))


@given(
    chosen=likely,
    rejected=likely,
    chosen_reference=likely,
    rejected_reference=likely,
    beta=st.floats(0.01, 1),
)
def test_swapping_the_pair_turns_the_push_around(
    pro_p_hyper, make, chosen, rejected, chosen_reference, rejected_reference, beta
):
    """Source: the regularizer is even; -log sigma(d) + log sigma(-d) = -d."""
    columns = [chosen], [rejected], [chosen_reference], [rejected_reference]
    here = pro_p_hyper(make.pairs(*columns), beta=beta)
    there = pro_p_hyper(make.pairs(*(columns[place] for place in (1, 0, 3, 2))), beta=beta)
    margin = beta * (chosen - chosen_reference - rejected + rejected_reference)
    assert (here - there).item() == pytest.approx(-margin, abs=1e-9)


def test_equal_likely_responses_are_clamped(pro_p_hyper, make):
    batch = make.pairs([-0.1], [-0.1], [-3.0], [-3.0])
    losses = pro_p_hyper(batch, beta=1.0)
    hyper = math.log(-math.expm1(-1e-4)) - math.log(1 - 2 * math.exp(-3.0))
    above = 2.9 - hyper
    expected = math.log(2) + 2 * (above / 2 + math.log1p(math.exp(-above)))
    assert losses.item() == pytest.approx(expected, rel=1e-9)
    assert make.gradient(losses, batch.chosen).isfinite().all()


def test_equal_likely_responses_of_the_reference_are_clamped(pro_p_hyper, make):
    batch = make.pairs([-3.0], [-3.0], [-0.1], [-0.1])
    losses = pro_p_hyper(batch, beta=1.0)
    hyper = math.log(1 - 2 * math.exp(-3.0)) - math.log(-math.expm1(-1e-4))
    above = -2.9 - hyper
    expected = math.log(2) + 2 * (-above / 2 + math.log1p(math.exp(above)))
    assert losses.item() == pytest.approx(expected, rel=1e-9)


def test_default(pro_p_hyper, make):
    batch = make.pairs([-2.0], [-3.0], -1.0, -4.0)
    assert torch.equal(pro_p_hyper(batch), pro_p_hyper(batch, beta=0.1))
