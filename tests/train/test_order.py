"""An epoch: whole global batches, each example at most once, of like lengths, always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.train.order import WINDOW, epoch_order

lengths = st.lists(st.integers(1, 50), max_size=120)
batches = st.integers(1, 16)
seeds = st.integers(0, 2**32 - 1)


@given(lengths, batches, seeds)
def test_whole_batches_of_distinct_examples(lengths, batch, seed):
    order = epoch_order(lengths, batch, seed)
    assert len(order) == len(lengths) // batch * batch, "only the last partial batch is dropped"
    assert len(set(order)) == len(order) and set(order) <= set(range(len(lengths)))


@given(lengths, batches, seeds)
def test_equal_seeds_give_equal_orders(lengths, batch, seed):
    assert epoch_order(lengths, batch, seed) == epoch_order(lengths, batch, seed)


def test_other_seeds_give_other_orders_and_drop_other_examples():
    orders = [epoch_order([1] * 100, 8, seed) for seed in range(20)]
    assert len({tuple(order) for order in orders}) == 20
    dropped = [frozenset(range(100)) - set(order) for order in orders]
    assert all(len(item) == 4 for item in dropped) and len(set(dropped)) > 10


def test_every_example_comes_first_at_some_seed():
    assert {epoch_order([1, 2, 3, 4], 1, seed)[0] for seed in range(100)} == {0, 1, 2, 3}


@pytest.mark.parametrize("batch", [4, 8])
def test_batches_hold_like_lengths(batch):
    """Padding of sorted windows against padding of a plain shuffle: under half."""
    lengths = [1 + (37 * index) % 50 for index in range(50 * batch)]

    def padding(order: list[int]) -> int:
        rows = [order[start : start + batch] for start in range(0, len(order), batch)]
        return sum(
            batch * max(lengths[i] for i in row) - sum(lengths[i] for i in row) for row in rows
        )

    assert padding(epoch_order(lengths, batch, 0)) < padding(list(range(len(lengths)))) / 2


def test_short_and_long_batches_are_mixed_over_the_epoch():
    """Batches are shuffled after sorting: the epoch does not run from short to long."""
    lengths = list(range(WINDOW * 4))
    firsts = [lengths[index] for index in epoch_order(lengths, 4, 0)[::4]]
    assert firsts != sorted(firsts)
