"""How a global batch is cut: every example once, in an order that all processes agree on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline.train import geometry
from plumbline.train.geometry import Geometry, activation_bytes, fitting, room, solve, surviving


@pytest.fixture
def launched(monkeypatch):
    """Set the environment as a launcher of `world` processes does."""

    def launch(world: int, rank: int = 0) -> None:
        monkeypatch.setenv("WORLD_SIZE", str(world))
        monkeypatch.setenv("RANK", str(rank))

    return launch


def test_shares_by_hand():
    """12 examples, batches of 6 in micro-batches of 1 on 2 processes, which take turns."""
    first, second = (Geometry(6, 1, 2, rank) for rank in (0, 1))
    assert first.accumulate == 3
    assert [list(part) for part in first.share(range(12))] == [[0], [2], [4], [6], [8], [10]]
    assert [list(part) for part in second.share(range(12))] == [[1], [3], [5], [7], [9], [11]]
    assert first.global_batch(range(12), 1) == [6, 8, 10, 7, 9, 11], "process by process"


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 5), st.integers(0, 9)
)
def test_every_example_of_whole_batches_once(micro, world, accumulate, batches, rest):
    batch = micro * world * accumulate
    items = range(batches * batch + min(rest, batch - 1))
    ranks = [Geometry(batch, micro, world, rank) for rank in range(world)]
    parts = [part for one in ranks for part in one.share(items)]
    assert sorted(item for part in parts for item in part) == list(range(batches * batch))
    assert all(len(part) == micro for part in parts)
    assert all(one.accumulate == accumulate for one in ranks)
    for step in range(batches):
        seen = [one.share(items)[step * accumulate : (step + 1) * accumulate] for one in ranks]
        flat = [item for own in seen for part in own for item in part]
        assert flat == ranks[0].global_batch(items, step)
        assert sorted(flat) == list(range(step * batch, (step + 1) * batch))


def test_the_batch_is_the_same_on_any_number_of_processes(launched):
    assert solve(32, None) == Geometry(32, 32) and solve(32, 8).accumulate == 4
    launched(2, rank=1)
    assert solve(32, None) == Geometry(32, 16, 2, 1) and solve(32, 4).accumulate == 4


@pytest.mark.parametrize(("world", "micro"), [(1, 5), (2, 32), (3, None), (64, None)])
def test_what_does_not_divide_is_refused(launched, world, micro):
    launched(world)
    with pytest.raises(ConfigError, match="do not divide the global batch of 32.*micro_batch or"):
        solve(32, micro)


def test_micro_batches_that_fit(launched):
    assert fitting(32, bytes_each=10, room=170) == [16, 8, 4, 2, 1]
    assert fitting(32, bytes_each=10, room=1e9)[0] == 32
    assert fitting(32, bytes_each=10, room=5) == [1], "one example is always tried"
    launched(2)
    assert fitting(24, bytes_each=1, room=7) == [6, 4, 3, 2, 1]


def test_kept_activations_by_hand():
    """tanh keeps its result, [50, 8] float32; the product keeps its input, the same storage."""
    layer = torch.nn.Linear(8, 8, bias=False)
    hidden = torch.randn(50, 8, requires_grad=True)
    assert activation_bytes(lambda: layer(hidden.tanh()), layer) == 50 * 8 * 4


def test_activations_grow_with_the_rows(policy, examples):
    from plumbline.model.logprobs import Policy

    seen = Policy(policy())
    group = examples("pairs", 1)[0].group
    one, four = (
        activation_bytes(lambda count=count: seen(seen.pack([group] * count)), seen)
        for count in (1, 4)
    )
    assert 3 * one < four < 4.2 * one


def test_weights_gradients_and_optimizer_have_their_place(monkeypatch):
    monkeypatch.setattr(geometry.psutil, "virtual_memory", lambda: type("", (), {"available": 1e6}))
    layer = torch.nn.Linear(100, 100, bias=False)
    assert room(torch.device("cpu"), layer) == 0.5 * (1e6 - 2 * 4 * 10_000)
    layer.weight.requires_grad_(False)
    assert room(torch.device("cpu"), layer) == 0.5 * 1e6, "frozen weights need neither"


def test_the_first_size_that_survives():
    tried = []

    def trial(size: int) -> None:
        tried.append(size)
        if size > 2:
            raise torch.OutOfMemoryError

    assert surviving([8, 4, 2, 1], trial) == 2 and tried == [8, 4, 2]


def test_nothing_survives():
    def trial(size: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(ConfigError, match="not even one example fits.*gradient_checkpointing"):
        surviving([2, 1], trial)
