"""PRO-P on samples of the reference: a pair by hand, its definition in 50 digits, its limits."""

import math
from dataclasses import replace

import pro_losses
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pro_losses import mpf

nats = st.floats(-60, 0)
several = st.lists(nats, min_size=1, max_size=5)


@pytest.fixture(scope="module")
def pro_p_samples(load):
    return load("pro_p_samples")


@pytest.fixture(scope="module")
def sampled(make):
    """A batch of one pair from log-probabilities; those of samples and of their reference last."""

    def build(chosen, rejected, references, samples, sample_references=0.0):
        pair = make.pairs([chosen], [rejected], *([value] for value in references))
        column = make.lists([samples], [samples], sample_references).completions
        return replace(pair, needed={"reference_samples": column})

    return build


def test_by_hand(pro_p_samples, sampled):
    """beta log-ratios log 3, 0 and of two samples log 2 and 0.

    -log(3/4) of the pair; -(1/4) [log(3/5 2/5) + log(3/4 1/4)] of chosen with either sample;
    -(1/4) [log(1/3 2/3) + log(1/4)] of rejected; of the samples half of the mean over four ordered
    pairs, two of them equal: -(1/16) [2 log(2/3 1/3) + 2 log(1/4)].
    """
    batch = sampled(math.log(3), 0.0, (0.0, 0.0), [math.log(2), 0.0])
    expected = (
        -math.log(3 / 4)
        - (math.log(6 / 25) + math.log(3 / 16)) / 4
        - (math.log(2 / 9) + math.log(1 / 4)) / 4
        - (2 * math.log(2 / 9) + 2 * math.log(1 / 4)) / 16
    )
    assert pro_p_samples(batch, beta=1.0).item() == pytest.approx(expected, abs=1e-12)


def defined(values, references, beta, count):
    """Four times the population loss at eta = 2/3 and alpha = 9/4, over all ordered pairs.

    values: log-probabilities of chosen, rejected and samples; references: the same of theirs.
    """
    rewards = pro_losses.rewards(values, references, beta)[: 2 + count]
    masses = [mpf(1) / 3] * 2 + [mpf(1) / (3 * count)] * count
    expected = sum(
        one * other * pro_losses.divergence(here - there)
        for one, here in zip(masses, rewards, strict=True)
        for other, there in zip(masses, rewards, strict=True)
    )
    push = (rewards[0] - rewards[1]) / 8  # the mean over both of s r, at s = 1/4 and -1/4
    return 4 * (-push + mpf(9) / 8 * expected)


@pytest.mark.parametrize(
    ("samples", "beta", "count"), [(2, 0.3, 2), (4, 0.7, 1), (4, 0.2, 3), (1, 0.4, 16)]
)
def test_definition(pro_p_samples, sampled, make, samples, beta, count):
    """Source: mpmath at 50 digits, from Theorem 3.1 and Eq. (9); gradients on all columns."""
    values = [-10.0, -12.5, *[-4.0, -9.5, -20.25, -6.0][:samples]]
    references = [-11.0, -11.75, *[-5.5, -9.0, -17.0, -8.25][:samples]]
    batch = sampled(*values[:2], references[:2], values[2:], [references[2:]])
    losses = pro_p_samples(batch, beta=beta, samples=count)

    def exact(point):
        return defined(point, references, beta, min(samples, count))

    assert losses.item() == pytest.approx(float(exact(values)) + 3.5 * math.log(2), abs=1e-12)
    columns = batch.chosen, batch.rejected, batch.reference_samples
    found = [value for item in columns for value in make.gradient(losses, item).flatten().tolist()]
    assert found == pytest.approx(pro_losses.slopes(exact, values), abs=1e-11)


def test_at_the_reference(pro_p_samples, sampled, make):
    batch = sampled(-7.0, -9.0, (-7.0, -9.0), [-5.0, -8.0], [[-5.0, -8.0]])
    losses = pro_p_samples(batch, beta=0.3)
    assert losses.item() == pytest.approx(3.5 * math.log(2))
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.15)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.15)
    assert not make.gradient(losses, batch.reference_samples).any()


@given(chosen=nats, rejected=nats, count=st.integers(1, 5))
def test_where_samples_stay_it_is_pro_p(pro_p_samples, load, sampled, chosen, rejected, count):
    batch = sampled(chosen, rejected, (-20.0, -30.0), [-9.0] * count, -9.0)
    expected = load("pro_p")(batch, beta=0.2) + math.log(2) / 2
    torch.testing.assert_close(pro_p_samples(batch, beta=0.2), expected)


@given(policy=st.tuples(st.floats(-9, -1.5), st.floats(-9, -1.5)), reference=st.floats(-9, -1.5))
def test_one_sample_may_stand_for_the_hyper_response(
    pro_p_samples, load, sampled, policy, reference
):
    """A sample that has the log-ratio of all other responses together."""
    references = (reference, -2.0)
    hyper = float(pro_losses.rest(policy, references, 1.0))
    batch = sampled(*policy, references, [-30.0 + hyper], -30.0)
    expected = load("pro_p_hyper")(batch, beta=0.4) + math.log(2) / 2
    torch.testing.assert_close(pro_p_samples(batch, beta=0.4), expected)


@given(samples=several, shift=st.floats(-20, 20))
def test_only_differences_count(pro_p_samples, sampled, samples, shift):
    """Unlike `pro_p`: what holds the pair in place is where the samples are."""
    here = sampled(-10.0, -12.0, (-11.0, -11.0), samples, -30.0)
    there = sampled(
        -10.0 + shift, -12.0 + shift, (-11.0, -11.0), [value + shift for value in samples], -30.0
    )
    torch.testing.assert_close(pro_p_samples(here), pro_p_samples(there))


def test_defaults(pro_p_samples, sampled):
    samples = [-float(number) for number in range(1, 18)]
    batch = sampled(-10.0, -12.0, (-11.0, -11.5), samples, -7.0)
    assert torch.equal(pro_p_samples(batch), pro_p_samples(batch, beta=0.1, samples=16))
    assert not torch.equal(pro_p_samples(batch), pro_p_samples(batch, samples=15))
