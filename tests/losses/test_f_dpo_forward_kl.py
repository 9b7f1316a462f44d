"""f-DPO under forward KL: a hand-worked pair, a golden number, TRL, and where it is clamped."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def f_dpo_forward_kl(load):
    return load("f_dpo_forward_kl")


def test_by_hand(f_dpo_forward_kl, make):
    """u = 2 and 1/2: scores -1/2 and -2, beta 2: log(1 + e^-3)."""
    batch = make.pairs([math.log(2)], [-math.log(2)])
    found = f_dpo_forward_kl(batch, beta=2.0).item()
    assert found == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-12)


def test_golden(f_dpo_forward_kl, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = f_dpo_forward_kl(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["fDPO forward_kl"], rel=1e-13)


def test_trl(f_dpo_forward_kl, make, golden_zoo):
    """Source: TRL's own `sigmoid` with `forward_kl`, executed on each pair."""
    expected = trl_pairs.dpo("sigmoid", golden_zoo, beta=0.3, f_divergence_type="forward_kl")
    losses = f_dpo_forward_kl(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(f_dpo_forward_kl, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(f_dpo_forward_kl(batch, beta=0.3), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.15, 0.15])


@pytest.mark.parametrize("below", [30.0, 31.0, 1e4])
def test_clamp(f_dpo_forward_kl, make, below):
    """Chosen far below, rejected at the reference: L = beta (e^30 - 1), from -30 downwards."""
    batch = make.pairs([-below], [0.0])
    losses = f_dpo_forward_kl(batch, beta=0.3)
    assert losses.item() == pytest.approx(0.3 * (math.exp(30) - 1), rel=1e-12)
    far = make.pairs([0.0], [-below])
    assert f_dpo_forward_kl(far, beta=1e-13).item() == pytest.approx(
        math.log(1 + math.exp(-1e-13 * (math.exp(30) - 1))), rel=1e-9
    )


@given(chosen=st.floats(-1e-3, 1e-3), rejected=st.floats(-1e-3, 1e-3))
def test_near_the_reference_it_is_dpo(f_dpo_forward_kl, load, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    found = f_dpo_forward_kl(batch, beta=0.3)
    torch.testing.assert_close(found, load("dpo")(batch, beta=0.3), rtol=0, atol=1e-6)


def test_default(f_dpo_forward_kl, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(f_dpo_forward_kl(batch), f_dpo_forward_kl(batch, beta=0.1))
