"""POWER-DL: hand-worked pairs and labels. No implementation but this was found to compare with."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

POINT = {"beta": 1.5, "eta": 0.25, "gamma": 0.4}
#: Means per token -2 and -0.5, -3 and -2.5; margins 1.5 * (-1.5 + 1/5 - 1/2) = -2.7 and
#: 1.5 * (-0.5 + 1/4 - 1/10) = -0.525.
CHOSEN, REJECTED = ([-10.0, -12.0], [5, 4]), ([-1.0, -25.0], [2, 10])
MARGINS, MEANS, LABELS = (-2.7, -0.525), (-2.0, -3.0), (1.0, 0.75)


@pytest.fixture(scope="module")
def power_dl(load):
    return load("power_dl")


@pytest.fixture(scope="module")
def relabel(power_dl):
    return power_dl.__globals__["relabel"]


@pytest.fixture
def labelled(make):
    """Pairs with labels."""

    def build(labels=LABELS, chosen=CHOSEN, rejected=REJECTED):
        batch = make.pairs(chosen[0], rejected[0])
        columns = {
            "chosen": replace(batch.chosen, tokens=torch.tensor(chosen[1])),
            "rejected": replace(batch.rejected, tokens=torch.tensor(rejected[1])),
        }
        return replace(batch, **columns, needed={"label": torch.tensor(labels).double()})

    return build


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def moved(label: float, margin: float) -> float:
    return 0.6 * label + 0.4 * sigmoid(margin)


def test_by_hand(power_dl, labelled):
    expected = [
        moved(label, margin) * math.log1p(math.exp(-margin))
        + (1 - moved(label, margin)) * math.log1p(math.exp(margin))
        - 0.25 * 1.5 * mean
        for label, margin, mean in zip(LABELS, MARGINS, MEANS, strict=True)
    ]
    assert power_dl(labelled(), **POINT).tolist() == pytest.approx(expected, abs=1e-12)


def test_labels_by_hand(relabel, labelled):
    found = relabel(labelled(), beta=1.5, gamma=0.4)
    expected = [moved(label, margin) for label, margin in zip(LABELS, MARGINS, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-12) and not found.requires_grad


def test_gradient_by_hand(power_dl, make, labelled):
    """1.5 (sigma(u) - l) / n on the chosen one, less .25 * 1.5 / n, and its opposite on the
    rejected one; nothing through the label."""
    batch = labelled()
    losses = power_dl(batch, **POINT)
    slopes = [
        1.5 * (sigmoid(margin) - moved(label, margin))
        for label, margin in zip(LABELS, MARGINS, strict=True)
    ]
    up = [(slope - 0.25 * 1.5) / count for slope, count in zip(slopes, CHOSEN[1], strict=True)]
    down = [-slope / count for slope, count in zip(slopes, REJECTED[1], strict=True)]
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx(up, abs=1e-12)
    assert make.gradient(losses, batch.rejected).tolist() == pytest.approx(down, abs=1e-12)


def test_equal_responses(power_dl, make, labelled):
    batch = labelled([1.0], ([-8.0], [4]), ([-8.0], [4]))
    losses = power_dl(batch, **POINT)
    assert losses.tolist() == pytest.approx([math.log(2) + 0.25 * 1.5 * 2])
    found = make.gradient(losses, batch.chosen).tolist()
    assert found == pytest.approx([-1.5 * (0.5 - 0.2 + 0.25) / 4])


@given(label=st.floats(0, 1), gamma=st.floats(0.01, 1))
def test_labels_come_to_rest_where_the_margin_has_no_gradient(relabel, make, label, gamma):
    """A thousand visits at one margin, which at the least rate of 0.01 leave e^-10 of the way."""
    batch = make.pairs([-10.0], [-12.0])
    batch = replace(batch, needed={"label": torch.tensor([label]).double()})
    for _ in range(1000):
        batch = replace(batch, needed={"label": relabel(batch, beta=1.5, gamma=gamma)})
    assert batch.label.item() == pytest.approx(sigmoid(1.5 * 0.4), abs=1e-4)


def test_at_rate_one_only_the_last_term_teaches(power_dl, make, labelled):
    batch = labelled()
    losses = power_dl(batch, beta=1.5, eta=0.25, gamma=1.0)
    assert make.gradient(losses, batch.rejected).tolist() == pytest.approx([0, 0])
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx([-0.075, -0.09375])


def test_at_rate_zero_labels_stay(power_dl, relabel, load, labelled):
    """Then, with eta = 0 and equal lengths, it is DPO on means per token without a reference."""
    batch = labelled(LABELS, (CHOSEN[0], [4, 4]), (REJECTED[0], [4, 4]))
    assert relabel(batch, beta=1.5, gamma=0.0).tolist() == list(LABELS)
    found = power_dl(batch, beta=1.5, eta=0.0, gamma=0.0)[0]
    torch.testing.assert_close(found, load("dpo")(batch, beta=1.5 / 4)[0])


def test_defaults(power_dl, labelled):
    assert torch.equal(power_dl(labelled()), power_dl(labelled(), beta=2.0, eta=0.001, gamma=0.1))
