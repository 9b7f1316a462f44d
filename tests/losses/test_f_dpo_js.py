"""f-DPO under Jensen-Shannon: a hand-worked pair, a golden number, TRL, and both its ends."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def f_dpo_js(load):
    return load("f_dpo_js")


def test_by_hand(f_dpo_js, make):
    """u = 3 and 1/3: u / (1 + u) = 3/4 and 1/4, ratio 3, beta 2: log(1 + 3^-2)."""
    batch = make.pairs([math.log(3)], [-math.log(3)])
    assert f_dpo_js(batch, beta=2.0).item() == pytest.approx(math.log(10 / 9), abs=1e-12)


def test_golden(f_dpo_js, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = f_dpo_js(golden_zoo.pairs, beta=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["fDPO js"], abs=1e-13)


def test_trl(f_dpo_js, make, golden_zoo):
    """Source: TRL's own `sigmoid` with `js_divergence`, executed on each pair."""
    expected = trl_pairs.dpo("sigmoid", golden_zoo, beta=0.3, f_divergence_type="js_divergence")
    losses = f_dpo_js(golden_zoo.pairs, beta=0.3)
    torch.testing.assert_close(make.with_slopes(losses, golden_zoo.pairs), expected)


def test_at_the_reference(f_dpo_js, make):
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(f_dpo_js(batch, beta=0.4), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.1, 0.1])


@given(chosen=st.floats(-200, -40), rejected=st.floats(-200, -40))
def test_far_below_the_reference_it_is_dpo(f_dpo_js, load, make, chosen, rejected):
    batch = make.pairs([chosen], [rejected])
    torch.testing.assert_close(f_dpo_js(batch, beta=0.3), load("dpo")(batch, beta=0.3))


@given(rejected=st.floats(-50, 50), beta=st.floats(0.1, 3))
def test_raising_the_chosen_alone_ends_at_a_floor(f_dpo_js, make, rejected, beta):
    """log(1 + sigma(h_l)^beta), by hand from f'(infinity) = 0."""
    floor = math.log1p((1 / (1 + math.exp(-rejected))) ** beta)
    found = f_dpo_js(make.pairs([1e4], [rejected]), beta=beta).item()
    assert found == pytest.approx(floor, rel=1e-9)


def test_default(f_dpo_js, golden_zoo):
    batch = golden_zoo.pairs
    assert torch.equal(f_dpo_js(batch), f_dpo_js(batch, beta=0.1))
