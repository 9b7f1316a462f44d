"""SFT on chosen responses: hand-worked pairs, TRL's, and blindness to the rejected ones."""

import pytest
import trl_losses
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def low_lr_sft(load):
    return load("low_lr_sft")


def test_by_hand(low_lr_sft, make, golden_zoo):
    """Chosen -42.5, -61 and -12.25 nats of 20, 30 and 6 tokens."""
    batch = golden_zoo.pairs
    losses = low_lr_sft(batch)
    assert losses.tolist() == pytest.approx([42.5 / 20, 61 / 30, 12.25 / 6], abs=1e-12)
    found = make.gradient(losses, batch.chosen).tolist()
    assert found == pytest.approx([-1 / 20, -1 / 30, -1 / 6], abs=1e-12)


def test_trl(low_lr_sft, golden_zoo):
    """Source: TRL's own `sft`, executed on one pair at a time, since it pools a batch's tokens."""
    count = len(golden_zoo.rows)
    expected = [
        trl_losses.dpo(
            "sft",
            [golden_zoo.policy[row], golden_zoo.policy[row + count]],
            [golden_zoo.reference[row], golden_zoo.reference[row + count]],
        ).item()
        for row in range(count)
    ]
    assert low_lr_sft(golden_zoo.pairs).tolist() == pytest.approx(expected)


@given(chosen=st.floats(-1e4, 0), rejected=st.floats(-1e4, 0))
def test_blind_to_the_rejected(low_lr_sft, make, chosen, rejected):
    """Completions of `make` have five tokens."""
    losses = low_lr_sft(make.pairs([chosen], [rejected]))
    assert losses.item() == pytest.approx(-chosen / 5)
