"""Alignment against a training loop in plain torch, and what it leaves behind.

The loop back-propagates the mean loss of whole batches through full log_softmax in float64, clips,
and steps RMSprop at a learning rate written out by hand.
"""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from plumbline.artifacts import derive_seed
from plumbline.errors import ConfigError, DataError
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import together
from plumbline.plugins import METHODS, method_spec, read_method
from plumbline.schema import Align, Batch
from plumbline.train.align import Divergence, align
from plumbline.train.geometry import solve
from plumbline.train.objective import Objective
from plumbline.train.order import epoch_order
from plumbline.train.probe import Probe

RECIPE = Align(
    learning_rate=0.01,
    warmup_steps=2,
    batch=Batch(pairs=8, singles=8, lists=8),
    max_grad_norm=1e9,
    log_every=1,
    probe_every=2,
)


@pytest.fixture
def train(policy, examples, place):
    """Align the tiny policy; returns its parameters and the dynamics' rows."""

    def run(objective: Objective, given=None, *, seed: int = 0, micro=None, **changes):
        given = given or examples(objective.spec.references[-1], 24)
        model, probe = policy(), Probe(examples("pairs", 3))
        recipe = RECIPE.model_copy(update=changes)
        shape = solve(getattr(recipe.batch, objective.spec.feedback), micro)
        aligned = align(
            Policy(model, together), given, objective, recipe, shape, seed, probe, place
        )
        found = torch.cat([item.detach().flatten() for item in model.parameters()])
        return found, aligned.dynamics.rows

    return run


def of(name: str, **point: float) -> Objective:
    return Objective.of(method_spec(name), point)


def plain_training(model, objective, given, plain_batch, rates, *, clip=1e9, batch=8, seed=0):
    """Returns each step's mean loss and gradient norm."""
    order = epoch_order([item.length for item in given], batch, derive_seed("order", seed, 0))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1.0)
    log = []
    for step, rate in enumerate(rates):
        rows = [given[index] for index in order[step * batch : (step + 1) * batch]]
        optimizer.zero_grad()
        loss = objective.loss(plain_batch(model, rows)).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        log.append((loss.item(), norm.item()))
    return log


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("dpo", {"beta": 0.3}),
        ("pro_b", {"beta": 0.3, "alpha": 2.5}),
        ("kto", {"beta": 0.3}),
        ("pro_s", {"beta": 0.3, "alpha": 2.5}),
        ("aot", {"beta": 0.3}),
        ("bco_udm", {"beta": 0.3}),
        ("relative_po", {"beta": 0.3}),
        ("bvpo", {"beta": 0.3, "alpha": 0.2}),
    ],
)
def test_training_is_the_plain_loop(train, policy, examples, plain_batch, name, point):
    """Three steps at 0, 1/2 and 1 of the learning rate: warm-up counts the steps done."""
    objective = of(name, **point)
    found, rows = train(objective)
    model = policy()
    given = examples(objective.spec.references[-1], 24)
    log = plain_training(model, objective, given, plain_batch, [0.0, 0.005, 0.01])
    expected = torch.cat([item.detach().flatten() for item in model.parameters()])
    start = torch.cat([item.detach().flatten() for item in policy().parameters()])
    assert (found - expected).norm() < 1e-9 * expected.norm()
    assert (found - start).abs().max() > 1e-3, "the policy has hardly moved"
    losses = [row["value"] for row in rows if row["metric"] == "loss"]
    norms = [row["value"] for row in rows if row["metric"] == "gradient_norm"]
    assert losses == pytest.approx([loss for loss, _ in log], rel=1e-6)
    assert norms == pytest.approx([norm for _, norm in log], rel=1e-6)


def test_gradients_are_clipped_to_the_recipes_norm(train, policy, examples, plain_batch):
    objective, model = of("dpo", beta=0.3), policy()
    found, rows = train(objective, max_grad_norm=0.05, warmup_steps=0)
    log = plain_training(
        model, objective, examples("pairs", 24), plain_batch, [0.01] * 3, clip=0.05
    )
    expected = torch.cat([item.detach().flatten() for item in model.parameters()])
    # accelerate adds 1e-6 to the norm, as torch does
    assert (found - expected).norm() < 1e-9 * expected.norm()
    assert min(norm for _, norm in log) > 0.05, "nothing was clipped"
    free, _ = train(objective, warmup_steps=0)
    assert not torch.allclose(free, found)


@pytest.mark.parametrize(
    ("name", "micro"),
    [
        *[("pro_p", 2), ("pro_b", 2), ("kto", 2), ("kto", 4), ("pro_s", 4)],
        *[("aot", 2), ("aot_unpaired", 4), ("bco", 2), ("bco_udm", 2), ("relative_po", 2)],
        *[("apo_down_unpaired", 2), ("power_dl", 2), ("bvpo", 2)],
    ],
)
def test_micro_batches_change_nothing(train, name, micro):
    """Parameters after three steps, and every number of the log; many couple a batch's examples."""
    whole, log = train(of(name, beta=0.3))
    parts, again = train(of(name, beta=0.3), micro=micro)
    assert (parts - whole).norm() < 1e-9 * whole.norm()
    assert [{**row, "value": None} for row in again] == [{**row, "value": None} for row in log]
    values = [row["value"] for row in log]
    assert [row["value"] for row in again] == pytest.approx(values, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["dpo", "kto", "pro_s", "bvpo"])
def test_no_forward_pass_is_larger_than_a_micro_batch(train, name, monkeypatch):
    """KTO's mismatched completions included: that is what micro-batches are for."""
    rows, plain = [], Policy.forward
    monkeypatch.setattr(
        Policy,
        "forward",
        lambda self, given, *also: rows.append(given) or plain(self, given, *also),
    )
    train(of(name), micro=2)
    trained = [item for item in rows if len(item.lengths) != 2 * 3]  # the probe has three pairs
    completions = {"dpo": 2, "kto": 1, "pro_s": 4, "bvpo": 4}[name]
    assert {len(item.lengths) for item in trained} == {2 * completions}
    assert {len(item.ids) for item in trained} == {2}, "a prompt is in one row with its completions"


COUPLED = ["kto", "aot", "aot_unpaired", "bco", "bco_udm", "relative_po", "apo_down_unpaired"]


@pytest.mark.parametrize("name", COUPLED)
def test_they_are_coupled(train, name):
    """Were z_0 taken within micro-batches, training would differ: the test above could fail."""
    objective = of(name, beta=0.3)
    card = replace(objective.spec.card, coupled=False)
    uncoupled = replace(objective, spec=replace(objective.spec, card=card))
    whole, _ = train(objective)
    parts, _ = train(uncoupled, micro=2)
    assert (parts - whole).norm() > 1e-6 * whole.norm()


@pytest.mark.parametrize("micro", [None, 2])
def test_labels_follow_their_example(train, policy, examples, plain_batch, micro):
    """Three epochs of two batches; the plain loop keeps the labels in a dictionary of its own."""
    objective, given = of("power_dl", gamma=0.5), examples("pairs", 16)
    found, rows = train(objective, given, epochs=3, warmup_steps=0, micro=micro)
    model, labels, losses = policy(), {}, []
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    for epoch in range(3):
        order = epoch_order([item.length for item in given], 8, derive_seed("order", 0, epoch))
        for start in (0, 8):
            ids = order[start : start + 8]
            batch = plain_batch(
                model, [replace(given[row], label=labels.get(row, 1.0)) for row in ids]
            )
            optimizer.zero_grad()
            loss = objective.loss(batch).mean()
            loss.backward()
            labels |= dict(zip(ids, objective.relabel(batch).tolist(), strict=True))
            optimizer.step()
            losses.append(loss.item())
    expected = torch.cat([item.detach().flatten() for item in model.parameters()])
    assert (found - expected).norm() < 1e-9 * expected.norm()
    logged = [row["value"] for row in rows if row["metric"] == "loss"]
    assert logged == pytest.approx(losses, rel=1e-6)
    assert len(set(labels.values())) == 16 and max(labels.values()) < 1


# The order of examples


def test_a_partial_batch_is_never_trained_on(train, examples):
    """23 examples in batches of 8: two steps an epoch. A loader would repeat rows for a third."""
    _, rows = train(of("dpo"), examples("pairs", 23), epochs=3)
    assert [row["step"] for row in rows if row["metric"] == "loss"] == list(range(6))


def test_epochs_are_shuffled_anew(train, examples):
    """At a learning rate of nearly nothing a batch's loss is a fingerprint of its examples."""
    _, rows = train(of("dpo"), examples("pairs", 24), epochs=2, learning_rate=1e-30)
    losses = [row["value"] for row in rows if row["metric"] == "loss"]
    assert len(losses) == 6 and sorted(losses[:3]) != sorted(losses[3:])
    assert sum(losses[:3]) == pytest.approx(sum(losses[3:])), "the same examples, batched anew"


def test_equal_seeds_give_equal_weights_and_others_do_not(train):
    first, _ = train(of("dpo"))
    assert torch.equal(train(of("dpo"))[0], first)
    assert not torch.equal(train(of("dpo"), seed=1)[0], first)


# The dynamics


def test_rows_of_the_log(train):
    _, rows = train(of("dpo", beta=0.3), log_every=1, probe_every=2)
    keys = Counter((row["step"], row["split"], row["metric"]) for row in rows)
    assert set(keys.values()) == {1}, "each number once"
    assert all(row["examples"] == 8 * row["step"] for row in rows)
    trained = {metric for _, split, metric in keys if split == "train"}
    assert trained == {
        "loss",
        "chosen_logratio",
        "rejected_logratio",
        "margin",
        "accuracy",
        "chosen_tokens",
        "rejected_tokens",
        "gradient_norm",
        "learning_rate",
    }
    probed = {metric for _, split, metric in keys if split == "probe"}
    assert {"chosen_logratio", "rejected_logratio", "margin", "chosen_below"} <= probed
    assert sorted({step for step, split, _ in keys if split == "probe"}) == [0, 2, 3]


@pytest.mark.parametrize(
    ("warmup", "rates"), [(0, [1, 1, 1]), (2, [0, 1 / 2, 1]), (4, [0, 1 / 4, 1 / 2])]
)
def test_the_learning_rate_warms_up_linearly_and_stays(train, warmup, rates):
    """Source: rate * steps done / warm-up steps. The log shows the rate each step was taken at."""
    _, rows = train(of("dpo"), warmup_steps=warmup)
    found = {row["step"]: row["value"] for row in rows if row["metric"] == "learning_rate"}
    assert found == pytest.approx({step + 1: 0.01 * rate for step, rate in enumerate(rates)})


def test_log_every_thins_the_log(train):
    _, rows = train(of("dpo"), epochs=3, log_every=4)
    assert [row["step"] for row in rows if row["metric"] == "loss"] == [0, 4, 8]
    assert [row["step"] for row in rows if row["metric"] == "gradient_norm"] == [4, 8]


def test_training_starts_at_the_reference_of_the_probe(train):
    _, rows = train(of("dpo"))
    start = {
        row["metric"]: row["value"] for row in rows if row["split"] == "probe" and not row["step"]
    }
    assert start["chosen_logratio"] == start["rejected_logratio"] == start["margin"] == 0


# What stops a run


def test_fewer_examples_than_a_batch(train, examples):
    with pytest.raises(DataError, match="7 training examples are fewer than one .* batch of 8"):
        train(of("dpo"), examples("pairs", 7))


def test_a_micro_batch_that_does_not_divide(train):
    with pytest.raises(
        ConfigError, match="1 processes of micro_batch 3 do not divide .* batch of 8"
    ):
        train(of("dpo"), micro=3)


@pytest.fixture
def poisoned(tmp_path):
    """DPO, but not a number for chosen completions of 9 tokens."""
    source = (METHODS / "dpo.py").read_text()
    result = "return -logsigmoid(margin)"
    assert result in source
    path = tmp_path / "dpo.py"
    path.write_text(source.replace(result, f"{result} + 0 / (batch.chosen.tokens != 9)"))
    return Objective.of(read_method(path), {})


@pytest.mark.parametrize("micro", [None, 2])
def test_a_loss_that_is_no_number_names_its_step_and_examples(train, examples, poisoned, micro):
    given = examples("pairs", 24)
    given[5] = replace(given[5], completions=((3,) * 9, (4,)))
    order = epoch_order([item.length for item in given], 8, derive_seed("order", 0, 0))
    step, place = divmod(order.index(5), 8)
    start = 8 * step + place // (micro or 8) * (micro or 8)
    with pytest.raises(Divergence) as caught:
        train(poisoned, given, micro=micro)
    assert caught.value.step == step
    assert caught.value.examples == [given[index].id for index in order[start:][: micro or 8]]
    logged = {row["step"] for row in caught.value.dynamics.rows if row["metric"] == "loss"}
    assert logged == set(range(step)), "the log up to there is kept"


def test_weights_that_overflow_at_the_last_step(train, examples):
    """No loss is computed after it; RMSprop's first step is ten times the learning rate."""
    with pytest.raises(Divergence) as caught:
        train(of("dpo"), examples("pairs", 8), learning_rate=1e308, warmup_steps=0)
    assert caught.value.step == 1
