"""Language modelling: the mean over predicted tokens, AdamW, warm-up and cosine decay."""

import math
from types import SimpleNamespace

import pytest
import torch

from plumbline.artifacts import derive_seed
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import pack
from plumbline.schema import Execution, Sft
from plumbline.train import language
from plumbline.train.geometry import Geometry
from plumbline.train.order import epoch_order

RATE = 0.01


def texts(count: int) -> list[tuple[list[int], list[int]]]:
    """Given and predicted tokens, of many lengths."""
    return [
        ([2 + row % 5] * (1 + row % 3), [3 + (row + step) % 20 for step in range(1 + row % 6)])
        for row in range(count)
    ]


def recipe(steps: int, batch: int = 4, warmup: int = 2) -> Sft:
    return Sft(
        data="demonstrations",
        steps=steps,
        batch=batch,
        learning_rate=RATE,
        warmup_steps=warmup,
    )


def plain_loss(model, rows) -> torch.Tensor:
    """Mean negative log-probability over all predicted tokens of the batch, not over rows."""
    logs = []
    for given, predicted in rows:
        row = model(input_ids=torch.tensor([[*given, *predicted]])).logits.log_softmax(-1)[0]
        logs.append(row[len(given) - 1 : -1].gather(1, torch.tensor(predicted)[:, None]))
    return -torch.cat(logs).mean()


def rate_at(step: int, steps: int, warmup: int) -> float:
    """Source: linear warm-up, then a half cosine from the rate to a tenth of it."""
    if step < warmup:
        return RATE * step / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return RATE * (0.1 + 0.9 * (1 + math.cos(math.pi * progress)) / 2)


def test_the_loss_is_the_mean_over_tokens(policy):
    """Not over rows: these have 1 to 6 predicted tokens each."""
    model, rows = policy(), texts(12)
    tokens = sum(len(predicted) for _, predicted in rows)
    block = pack([(given, (predicted,)) for given, predicted in rows])
    found = language.LanguageTrainer.compute_loss(
        SimpleNamespace(geometry=Geometry(12, 12)),
        Policy(model),
        {"sequences": block, "tokens": tokens},
    )
    assert found.item() == pytest.approx(plain_loss(model, rows).item(), rel=1e-12)


def test_training_is_the_plain_loop(policy, place):
    model, twin, rows, steps = policy(), policy(), texts(20), 5
    language.fit(model, rows, recipe(steps), seed=7, place=place, execution=Execution())
    order = epoch_order([len(a) + len(b) for a, b in rows], 4, derive_seed("order", 7, 0))
    optimizer = torch.optim.AdamW(twin.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        optimizer.zero_grad()
        plain_loss(twin, [rows[index] for index in order[4 * step : 4 * step + 4]]).backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = rate_at(step, steps, 2)
        optimizer.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        # AdamW divides by the root of a gradient's square: where a gradient is zero but for
        # rounding, rounding is all that is left of it. The key bias is one such.
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_it_learns(policy, place):
    """20 texts by heart."""
    model, rows = policy(), texts(20)
    before = plain_loss(model, rows).item()
    language.fit(model, rows, recipe(60, batch=20), seed=0, place=place, execution=Execution())
    assert plain_loss(model, rows).item() < before - 1


@pytest.mark.parametrize(("count", "batch", "steps"), [(10, 4, 7), (3, 4, 5), (8, 8, 1)])
def test_as_many_epochs_as_the_steps_need(count, batch, steps):
    """Whole batches of an epoch, then the next epoch in another order."""
    rows = [([row], [row + 100]) for row in range(count)]
    found = language.in_order(rows, recipe(steps, batch), seed=0)
    assert len(found) == steps * batch
    epoch = count // min(batch, count) * min(batch, count)
    for start in range(0, len(found) - epoch + 1, epoch):
        kept = [given[0] for given, _ in found[start : start + epoch]]
        assert len(set(kept)) == epoch


def test_the_log_is_returned(policy, place):
    log = language.fit(policy(), texts(8), recipe(50), 0, place, Execution()).log
    assert log[0]["step"] == 50 and math.isfinite(log[0]["loss"])
