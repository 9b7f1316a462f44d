"""Robust DPO: a hand-worked pair, a golden number, TRL, and that flipped labels cancel."""

import math

import pytest
import torch
import trl_pairs
from hypothesis import given
from hypothesis import strategies as st

from plumbline.plugins import method_spec

nats = st.floats(-200, 0)
shares = st.floats(0.01, 0.4)


@pytest.fixture(scope="module")
def robust_dpo(load):
    return load("robust_dpo")


def test_by_hand(robust_dpo, make):
    """u = log 3: sigma is 3/4 and 1/4; epsilon 0.2: (0.8 log(4/3) - 0.2 log 4) / 0.6."""
    batch = make.pairs([math.log(3)], [0.0])
    expected = (0.8 * math.log(4 / 3) - 0.2 * math.log(4)) / 0.6
    assert robust_dpo(batch, beta=1.0, epsilon=0.2).item() == pytest.approx(expected, abs=1e-12)


def test_golden(robust_dpo, golden_zoo):
    """Source: golden_zoo.json (mpmath, 50 digits)."""
    found = robust_dpo(golden_zoo.pairs, beta=0.1, epsilon=0.1).mean().item()
    assert found == pytest.approx(golden_zoo.values["robust eps=.1"], abs=1e-13)


def test_trl(robust_dpo, make, golden_zoo):
    """Source: TRL's own `robust`, executed on each pair; a token's slope is its response's."""
    batch = golden_zoo.pairs
    expected = trl_pairs.dpo("robust", golden_zoo, beta=0.3, label_smoothing=0.17)
    torch.testing.assert_close(
        make.with_slopes(robust_dpo(batch, beta=0.3, epsilon=0.17), batch), expected
    )


def test_defaults(robust_dpo, golden_zoo):
    """Source: section 6 and appendix B of the paper, by TRL's paper index."""
    assert torch.equal(
        robust_dpo(golden_zoo.pairs), robust_dpo(golden_zoo.pairs, beta=0.1, epsilon=0.1)
    )


def test_at_the_reference(robust_dpo, make):
    """-beta / (2 (1 - 2 epsilon)) = -0.3 / 1.6."""
    batch = make.pairs([-7.0], [-9.0], [-7.0], [-9.0])
    found = make.with_slopes(robust_dpo(batch, beta=0.3, epsilon=0.1), batch)[:, 0].tolist()
    assert found == pytest.approx([math.log(2), -0.1875, 0.1875])


@given(chosen=nats, rejected=nats, epsilon=shares)
def test_unbiased(robust_dpo, load, make, chosen, rejected, epsilon):
    """Source: the paper's claim: the mean over flips at rate epsilon is DPO on the clean label."""
    clean = make.pairs([chosen], [rejected], -30.0, -40.0)
    flipped = make.pairs([rejected], [chosen], -40.0, -30.0)
    kept, turned = (robust_dpo(batch, epsilon=epsilon) for batch in (clean, flipped))
    torch.testing.assert_close((1 - epsilon) * kept + epsilon * turned, load("dpo")(clean))


def test_falls_without_end_on_one_label(robust_dpo, make):
    """As -epsilon u / (1 - 2 epsilon): a hundred nats of u more cost 25 less."""
    near, far = robust_dpo(make.pairs([200.0, 300.0], [0.0, 0.0]), beta=1.0, epsilon=1 / 6)
    assert (far - near).item() == pytest.approx(-25, abs=1e-9)


@given(chosen=nats, rejected=nats, beta=st.floats(1e-3, 1))
def test_with_labels_all_right_it_is_dpo(robust_dpo, load, make, chosen, rejected, beta):
    batch = make.pairs([chosen], [rejected], -30.0, -40.0)
    found = robust_dpo(batch, beta=beta, epsilon=0.0)
    torch.testing.assert_close(found, load("dpo")(batch, beta=beta))


def test_spec_refuses_labels_that_mean_nothing():
    spec = method_spec("robust_dpo")
    assert spec.unbounded({"epsilon": 0.5}, responses=2)
    assert not spec.unbounded({"epsilon": 0.49}, responses=2)
