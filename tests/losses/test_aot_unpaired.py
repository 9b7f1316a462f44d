"""Unpaired AOT: TRL's own code, a golden number, and that nobody's partner matters."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

#: Log-ratios of four chosen and four rejected responses.
CHOSEN, REJECTED = [3.0, -1.0, 0.5, 6.0], [1.0, 2.0, -2.5, 4.0]
rows = st.lists(st.tuples(*[st.floats(-20, 0)] * 4), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def aot_unpaired(load):
    return load("aot_unpaired")


def by_trl(batch, **settings) -> torch.Tensor:
    """TRL's mean loss, carrying the gradient of the batch; one token a completion."""
    columns = batch.chosen, batch.rejected
    policy = torch.cat([column.policy for column in columns])[:, None]
    reference = torch.cat([column.reference for column in columns])[:, None]
    return trl_losses.dpo("aot_unpaired", list(policy), list(reference), **settings)


def test_by_hand(aot_unpaired, make):
    """Sorted -1, 0.5, 3, 6 against sorted -2.5, 1, 2, 4, given back in the order of the chosen:
    3 - 2, -1 + 2.5, 0.5 - 1, 6 - 4."""
    expected = [math.log1p(math.exp(-0.3 * margin)) for margin in (1.0, 1.5, -0.5, 2.0)]
    found = aot_unpaired(make.pairs(CHOSEN, REJECTED), beta=0.3)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_golden(aot_unpaired, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = aot_unpaired(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["aot_unpaired eps=0"], abs=1e-13)


@settings(deadline=None)  # the first one imports TRL
@given(given=rows, beta=st.floats(0.01, 2))
def test_trl(aot_unpaired, make, given, beta):
    """Source: TRL's own `aot_unpaired`, executed: value, and gradient on both columns."""
    batch = make.pairs(*map(list, zip(*given, strict=True)))
    found, expected = aot_unpaired(batch, beta=beta).mean(), by_trl(batch, beta=beta)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    leaves = batch.chosen.policy, batch.rejected.policy
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        torch.testing.assert_close(ours.sort().values, theirs.sort().values, rtol=1e-9, atol=1e-12)


def test_trls_gradient_falls_on_the_same_responses(aot_unpaired, make):
    batch = make.pairs(CHOSEN, REJECTED, 0.5, -0.25)
    expected = by_trl(batch, beta=0.3)
    for column in (batch.chosen, batch.rejected):
        ours = make.gradient(aot_unpaired(batch, beta=0.3), column) / 4
        torch.testing.assert_close(ours, make.gradient(expected, column), rtol=1e-9, atol=1e-12)


def test_at_the_reference(aot_unpaired, make):
    batch = make.pairs([-10.0, -8.0], [-12.0, -3.0], [-10.0, -8.0], [-12.0, -3.0])
    losses = aot_unpaired(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx([-0.15] * 2)
    assert make.gradient(losses, batch.rejected).tolist() == pytest.approx([0.15] * 2)


def test_default_is_one_hundredth(aot_unpaired, make):
    batch = make.pairs(CHOSEN, REJECTED)
    assert torch.equal(aot_unpaired(batch), aot_unpaired(batch, beta=0.01))


@given(given=rows)
def test_alone_it_is_dpo(aot_unpaired, load, make, given):
    batch = make.pairs(*([value] for value in given[0]))
    torch.testing.assert_close(aot_unpaired(batch, beta=0.3), load("dpo")(batch, beta=0.3))


def test_rejected_responses_may_be_exchanged_among_the_pairs(aot_unpaired, make):
    mixed = aot_unpaired(make.pairs(CHOSEN, REJECTED[::-1]))
    assert torch.equal(mixed, aot_unpaired(make.pairs(CHOSEN, REJECTED)))
