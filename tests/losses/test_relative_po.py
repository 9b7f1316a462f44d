"""Relative PO: the authors' matrix written out number by number, and the DPO at its ends."""

import math
from dataclasses import replace

import pytest
import torch
import trl_losses
from hypothesis import given
from hypothesis import strategies as st

CHOSEN, REJECTED = [3.0, -1.0, 0.5], [1.0, 2.5, -2.0]
#: Of lengths 5, 2 and 10; the cosines are 4/5, 3/5 and 0.
PROMPTS = [[3.0, 4.0], [0.0, 2.0], [10.0, 0.0]]
COSINES = [[1.0, 0.8, 0.6], [0.8, 1.0, 0.0], [0.6, 0.0, 1.0]]


@pytest.fixture(scope="module")
def relative_po(load):
    return load("relative_po")


@pytest.fixture
def among(make):
    """Pairs with embeddings."""

    def build(prompts=PROMPTS, chosen=CHOSEN, rejected=REJECTED, *references):
        needed = {"embedding": torch.tensor(prompts, dtype=torch.float64)}
        return replace(make.pairs(chosen, rejected, *references), needed=needed)

    return build


def weights(temperature: float) -> list[list[float]]:
    """Softmax of -(1 - cosine) / temperature over each row."""
    powers = [[math.exp(-(1 - cosine) / temperature) for cosine in row] for row in COSINES]
    return [[power / sum(row) for power in row] for row in powers]


def test_by_hand(relative_po, among):
    """Source: `RPOTrainer` of the authors' code at c1b5163, worked through in plain numbers."""
    expected = [
        sum(
            math.log1p(math.exp(-0.3 * weight * (good - bad)))
            for weight, bad in zip(row, REJECTED, strict=True)
        )
        / 3
        for row, good in zip(weights(0.7), CHOSEN, strict=True)
    ]
    found = relative_po(among(), beta=0.3, temperature=0.7)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_hand(relative_po, make, among):
    """-.3 w_ij sigma(-.3 w_ij (h_i - h_j)) / 3 to the chosen one of the row, and its opposite to
    the rejected one of the column."""
    batch = among()
    losses = relative_po(batch, beta=0.3, temperature=0.7)
    pulls = [
        [
            0.3 * weight / (1 + math.exp(0.3 * weight * (good - bad))) / 3
            for weight, bad in zip(row, REJECTED, strict=True)
        ]
        for row, good in zip(weights(0.7), CHOSEN, strict=True)
    ]
    up, down = [-sum(row) for row in pulls], [sum(column) for column in zip(*pulls, strict=True)]
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx(up, abs=1e-12)
    assert make.gradient(losses, batch.rejected).tolist() == pytest.approx(down, abs=1e-12)


def test_close_to_zero_temperature_is_trls_dpo(relative_po, among):
    """Source: TRL's own `sigmoid`, executed; outside the diagonal every weight is 0."""
    batch = among()
    policy = torch.cat([batch.chosen.policy, batch.rejected.policy])[:, None]
    expected = trl_losses.dpo("sigmoid", list(policy), list(torch.zeros(6, 1)), beta=0.3)
    found = relative_po(batch, beta=0.3, temperature=1e-3).mean()
    torch.testing.assert_close(found, (expected + 2 * math.log(2)) / 3)


@given(ratios=st.tuples(*[st.floats(-20, 20)] * 2), beta=st.floats(0.01, 2))
def test_alone_it_is_dpo(relative_po, load, make, ratios, beta):
    needed = {"embedding": torch.tensor([[0.5, -2.0]], dtype=torch.float64)}
    batch = replace(make.pairs([ratios[0]], [ratios[1]]), needed=needed)
    torch.testing.assert_close(relative_po(batch, beta=beta), load("dpo")(batch, beta=beta))


@given(length=st.floats(0.01, 100))
def test_only_the_direction_of_an_embedding_counts(relative_po, make, length):
    def build(factor: float):
        needed = {"embedding": factor * torch.tensor(PROMPTS, dtype=torch.float64)}
        return replace(make.pairs(CHOSEN, REJECTED), needed=needed)

    torch.testing.assert_close(relative_po(build(length)), relative_po(build(1.0)))


def test_at_the_reference(relative_po, make, among):
    levels = [-4.0, -7.0, -5.0]
    batch = among(PROMPTS, levels, levels, levels, levels)
    losses = relative_po(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 3)
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx([-0.15 / 3] * 3)


def test_defaults(relative_po, among):
    assert torch.equal(relative_po(among()), relative_po(among(), beta=0.1, temperature=0.5))
