"""AOT for pairs: TRL's own code, a golden number, and what sorting does and does not change."""

import math

import pytest
import torch
import trl_losses
from hypothesis import given, settings
from hypothesis import strategies as st

#: (chosen, rejected, their references): margins 3, -1, 0.5, 6; the references' 1, 2, -2.5, 4.
FOUR = (
    [-10.0, -8.0, -20.0, -3.0],
    [-13.0, -7.0, -20.5, -9.0],
    [-11.0, -9.0, -21.0, -4.0],
    [-12.0, -11.0, -18.5, -8.0],
)
margins = st.lists(st.tuples(*[st.floats(-20, 0)] * 4), min_size=2, max_size=6)


@pytest.fixture(scope="module")
def aot(load):
    return load("aot")


def by_trl(batch, **settings) -> torch.Tensor:
    """TRL's mean loss, carrying the gradient of the batch; one token a completion."""
    columns = batch.chosen, batch.rejected
    policy = torch.cat([column.policy for column in columns])[:, None]
    reference = torch.cat([column.reference for column in columns])[:, None]
    return trl_losses.dpo("aot", list(policy), list(reference), **settings)


def test_by_hand(aot, make):
    """Sorted margins -1, 0.5, 3, 6 against sorted -2.5, 1, 2, 4, given back in the batch's order:
    3 - 2, -1 + 2.5, 0.5 - 1, 6 - 4."""
    expected = [math.log1p(math.exp(-0.3 * margin)) for margin in (1.0, 1.5, -0.5, 2.0)]
    assert aot(make.pairs(*FOUR), beta=0.3).tolist() == pytest.approx(expected, abs=1e-12)


def test_golden(aot, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = aot(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["aot eps=0"], abs=1e-13)


@settings(deadline=None)  # the first one imports TRL
@given(rows=margins, beta=st.floats(0.01, 2))
def test_trl(aot, make, rows, beta):
    """Source: TRL's own `aot`, executed: value, and gradient on both columns."""
    batch = make.pairs(*map(list, zip(*rows, strict=True)))
    found, expected = aot(batch, beta=beta).mean(), by_trl(batch, beta=beta)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    leaves = batch.chosen.policy, batch.rejected.policy
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        torch.testing.assert_close(ours.sort().values, theirs.sort().values, rtol=1e-9, atol=1e-12)


def test_trls_gradient_falls_on_the_same_pairs(aot, make):
    batch = make.pairs(*FOUR)
    expected = by_trl(batch, beta=0.3)
    for column in (batch.chosen, batch.rejected):
        ours = make.gradient(aot(batch, beta=0.3), column) / 4
        torch.testing.assert_close(ours, make.gradient(expected, column), rtol=1e-9, atol=1e-12)


def test_at_the_reference(aot, make):
    batch = make.pairs([-10.0, -8.0], [-12.0, -3.0], [-10.0, -8.0], [-12.0, -3.0])
    losses = aot(batch, beta=0.3)
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)
    assert make.gradient(losses, batch.chosen).tolist() == pytest.approx([-0.15] * 2)
    assert make.gradient(losses, batch.rejected).tolist() == pytest.approx([0.15] * 2)


def test_default_is_one_hundredth(aot, make):
    batch = make.pairs(*FOUR)
    assert torch.equal(aot(batch), aot(batch, beta=0.01))


@given(rows=margins)
def test_alone_it_is_dpo(aot, load, make, rows):
    batch = make.pairs(*([value] for value in rows[0]))
    torch.testing.assert_close(aot(batch, beta=0.3), load("dpo")(batch, beta=0.3))


def test_references_may_be_exchanged_among_the_pairs(aot, make):
    """Only their distribution counts, which DPO does not know."""
    chosen, rejected, one, other = FOUR
    mixed = make.pairs(chosen, rejected, one[::-1], other[::-1])
    assert torch.equal(aot(mixed), aot(make.pairs(*FOUR)))
