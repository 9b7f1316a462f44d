"""NCA for pairs: a hand-worked pair, golden numbers, where each response stops."""

import math

import pytest
import torch
import trl_losses


@pytest.fixture(scope="module")
def nca(load):
    return load("nca")


def test_by_hand(nca, make):
    """r = 0.1 and -0.05: log(1 + e^-.1) + log(1 + e^.1)/2 + log(1 + e^-.05)/2."""
    batch = make.pairs([-10.0], [-12.0], [-11.0], [-11.5])
    expected = 0.6443966600735709 + 0.7443966600735709 / 2 + 0.6684596480132863 / 2
    assert nca(batch, beta=0.1).item() == pytest.approx(expected, abs=1e-12)


def test_golden(nca, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = nca(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["nca_pair"], abs=1e-12)


def test_trl(nca, golden_zoo):
    """Source: TRL's own `nca_pair`, executed."""
    expected = trl_losses.dpo("nca_pair", golden_zoo.policy, golden_zoo.reference, beta=0.3)
    torch.testing.assert_close(nca(golden_zoo.pairs, beta=0.3).mean(), expected)


def test_at_the_reference(nca, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    losses = nca(batch, beta=0.4)
    assert losses.item() == pytest.approx(2 * math.log(2))
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(-0.1)
    assert make.gradient(losses, batch.rejected).item() == pytest.approx(0.1)


def test_chosen_stops_at_two_thirds_and_rejected_never(nca, make):
    """sigma(r) = 2/3 is r = log 2; the rejected response is pushed down however far it fell."""
    batch = make.pairs([math.log(2)], [-30.0])
    losses = nca(batch, beta=1.0)
    assert make.gradient(losses, batch.chosen).item() == pytest.approx(0, abs=1e-12)
    assert make.gradient(losses, batch.rejected).item() > 0


def test_pairs_are_lists_of_two(nca, load, make):
    batch = make.pairs([-10.0, -3.0], [-12.0, -1.0])
    listed = make.lists([[-10.0, -12.0], [-3.0, -1.0]], [[0.6, 0.5], [1.0, 0.0]])
    one_hot = load("nca_list")(listed, beta=0.1, temperature=1e-4)
    torch.testing.assert_close(one_hot, nca(batch, beta=0.1))


def test_default(nca, make):
    batch = make.pairs([-10.0], [-12.0])
    assert torch.equal(nca(batch), nca(batch, beta=0.01))
