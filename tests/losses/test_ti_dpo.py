"""TI-DPO: its equations in 50 digits on ragged pairs and anchors, a prior by hand, its limits."""

import math
from dataclasses import replace

import mpmath
import pro_losses
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from plumbline import Completions

#: (policy, reference, importance) of two pairs, token by token.
CHOSEN = (
    [[-1.0, -2.0, -0.5, -1.25, -4.0], [-3.0]],
    [[-1.5, -1.0, -0.25, -2.0, -3.5], [-2.0]],
    [[0.5, 0.3, 0.2, 0.15, 0.05], [0.9]],
)
REJECTED = (
    [[-0.75, -4.0], [-1.0, -2.5]],
    [[-1.0, -3.0], [-2.5, -1.0]],
    [[0.8, 0.2], [0.35, 0.65]],
)
#: (policy, reference) of three anchors of each. Of the first two the second is too near to rejected
#: in the first pair, the first in the second, and the others are where they should be.
ANCHORS = (
    [[[-1.0, -1.5], [-2.0, -1.0, -1.0, -0.5], [-1.0]], [[-1.0, -2.0, -3.0], [-2.5], [-1.0, -1.0]]],
    [[[-1.75, -1.0], [-1.0, -1.5, -3.0, -2.0], [-2.0]], [[-2.0, -1.5, -3.5], [-1.0], [-1.5, -2.0]]],
)
POINT = {"beta": 0.3, "mix": 0.6, "gamma": 0.2, "margin": 0.1, "samples": 2}


@pytest.fixture(scope="module")
def ti_dpo(load):
    return load("ti_dpo")


@pytest.fixture(scope="module")
def build(make):
    """A batch, and the column [B * K] that its anchors are made of."""

    def with_anchors(chosen=CHOSEN, rejected=REJECTED, anchors=ANCHORS):
        batch = make.token_pairs(("token_importance",), chosen, rejected)
        flat = make.token_column(*([item for row in side for item in row] for side in anchors))
        shape = len(anchors[0]), -1
        needed = {name: value.unflatten(0, shape) for name, value in flat.needed.items()}
        samples = Completions(
            flat.policy.unflatten(0, shape), flat.tokens.unflatten(0, shape), needed
        )
        return replace(batch, needed={"reference_samples": samples}), flat

    return with_anchors


def ratios(policy, reference) -> list[mpf]:
    return [mpf(here) - there for here, there in zip(policy, reference, strict=True)]


def weighted(policy, reference, importance, mix) -> mpf:
    """A term of Eq. (11), its weights by Eqs. (7) and (8)."""
    count = len(policy)
    mean, spread = mpf(count - 1) / 2, mpf(count) / 4
    prior = [mpmath.exp(-(((place - mean) / spread) ** 2) / 2) for place in range(count)]
    return mpmath.fsum(
        (mix * own + (1 - mix) * place / mpmath.fsum(prior)) * ratio
        for own, place, ratio in zip(importance, prior, ratios(policy, reference), strict=True)
    )


def distance(policy, reference, anchor) -> mpf:
    """A sum of Eq. (13), over the places that both have."""
    pairs = zip(ratios(*anchor), ratios(policy, reference), strict=False)
    return mpmath.fsum((there - here) ** 2 for there, here in pairs)


def exact(point: list, row: int, *, beta, mix, gamma, margin, samples) -> mpf:
    """Eq. (14) of one pair. point: the policy's numbers of chosen, rejected and all anchors."""
    rest = list(point)

    def taken(like: list) -> list:
        values, rest[:] = rest[: len(like)], rest[len(like) :]
        return values

    chosen, rejected = ([taken(side[0][row]), side[1][row]] for side in (CHOSEN, REJECTED))
    references = ANCHORS[1][row]
    anchors = [(taken(one), other) for one, other in zip(ANCHORS[0][row], references, strict=True)]
    gain = weighted(*chosen, CHOSEN[2][row], mix) - weighted(*rejected, REJECTED[2][row], mix)
    triplets = [
        max(0, distance(*chosen, anchor) - distance(*rejected, anchor) + margin)
        for anchor in anchors[:samples]
    ]
    base = mpmath.log(1 + mpmath.exp(-beta * gain))
    return base + gamma * mpmath.fsum(triplets) / len(triplets)


def values_of(row: int) -> list[float]:
    """The policy's numbers of one pair."""
    columns = [CHOSEN[0][row], REJECTED[0][row], *ANCHORS[0][row]]
    return [value for column in columns for value in column]


@pytest.mark.parametrize(
    "change", [{}, {"samples": 1}, {"samples": 3, "mix": 0.25}, {"margin": 5.0, "gamma": 0.7}]
)
def test_in_50_digits(ti_dpo, build, make, change):
    """Source: Eqs. (7), (8), (11) to (14), arXiv:2505.19653v3; gradients on every token."""
    (batch, flat), point = build(), POINT | change
    losses = ti_dpo(batch, **point)
    columns = [make.token_gradient(losses, item) for item in (batch.chosen, batch.rejected)]
    anchors = make.token_gradient(losses, flat).unflatten(0, (2, 3))
    for row in (0, 1):
        values = values_of(row)
        expected = exact(values, row, **point)
        assert losses[row].item() == pytest.approx(float(expected), abs=1e-12)
        found = [slope for column in columns for slope in column[row].tolist()]
        found += anchors[row].flatten().tolist()
        slopes = pro_losses.slopes(lambda given, row=row: exact(given, row, **point), values)
        places = places_of(row, [column.shape[1] for column in columns], anchors.shape[2])
        assert [found[place] for place in places] == pytest.approx(slopes, abs=1e-11)
        assert sum(map(abs, found)) == pytest.approx(sum(map(abs, slopes)), abs=1e-9), "padding"


def places_of(row: int, widths: list[int], width: int) -> list[int]:
    """Where the numbers of `values_of` stand in rows that are padded."""
    columns = [CHOSEN[0][row], REJECTED[0][row], *ANCHORS[0][row]]
    starts = [0, widths[0], *(sum(widths) + index * width for index in range(3))]
    return [
        start + place
        for start, column in zip(starts, columns, strict=True)
        for place in range(len(column))
    ]


def test_a_number_by_hand(ti_dpo, build):
    """One token each. Weights 0.6 * 0.5 + 0.4 and 1, gain 0.7 * 1 + 0.5; the anchor is in the
    middle, so that the margin is left."""
    chosen, rejected = ([[-1.0]], [[-2.0]], [[0.5]]), ([[-2.0]], [[-1.5]], [[1.0]])
    batch, _ = build(chosen, rejected, ([[[-1.0]]], [[[-1.25]]]))
    expected = math.log(1 + math.exp(-0.3 * 1.2)) + 0.2 * 0.1
    assert ti_dpo(batch, **POINT).item() == pytest.approx(expected, abs=1e-12)


def test_at_the_reference(ti_dpo, build, make):
    """The prior of five tokens has a deviation of 5/4 and stands on the third."""
    chosen, rejected = ((side[0], side[0], side[2]) for side in (CHOSEN, REJECTED))
    batch, flat = build(chosen, rejected, (ANCHORS[0], ANCHORS[0]))
    losses = ti_dpo(batch, **POINT | {"mix": 0.0})
    assert losses.tolist() == pytest.approx([math.log(2) + 0.02] * 2)
    far, near = math.exp(-1.28), math.exp(-0.32)
    prior = [far, near, 1.0, near, far]
    expected = [-0.15 * item / sum(prior) for item in prior]
    assert make.token_gradient(losses, batch.chosen)[0].tolist() == pytest.approx(expected)
    assert make.token_gradient(losses, batch.rejected)[0].tolist() == pytest.approx([0.075] * 2)
    assert not make.token_gradient(losses, flat).any()


@settings(deadline=None)
@given(beta=st.floats(0.01, 2))
def test_with_weights_of_one_and_no_triplet_it_is_dpo(load, ti_dpo, build, beta):
    ones = [[[1.0] * len(row) for row in side[0]] for side in (CHOSEN, REJECTED)]
    batch, _ = build((*CHOSEN[:2], ones[0]), (*REJECTED[:2], ones[1]))
    found = ti_dpo(batch, beta=beta, mix=1.0, gamma=0.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta))


def test_an_anchor_at_chosen_costs_nothing(ti_dpo, build):
    """As far as it is from rejected, 1/16 and more squared nats."""
    batch, _ = build(anchors=tuple([[row] for row in side] for side in CHOSEN[:2]))
    found = ti_dpo(batch, **POINT | {"margin": 0.0625})
    torch.testing.assert_close(found, ti_dpo(batch, **POINT | {"gamma": 0.0}))


def test_defaults(ti_dpo, build):
    batch, _ = build()
    named = {"beta": 0.1, "mix": 0.7, "gamma": 0.1, "margin": 0.001, "samples": 1}
    assert torch.equal(ti_dpo(batch), ti_dpo(batch, **named))
    assert not torch.equal(ti_dpo(batch), ti_dpo(batch, samples=2))
