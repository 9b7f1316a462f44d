"""A prompt computed once for all its completions, against each completion after its own prompt."""

import pytest
import tiny_models
import torch

from plumbline.model.logprobs import Policy
from plumbline.model.sequences import apart, together
from plumbline.plugins import method_spec
from plumbline.schema import Align, Batch
from plumbline.train.align import align
from plumbline.train.geometry import solve
from plumbline.train.objective import Objective
from plumbline.train.probe import Probe

RECIPE = Align(
    learning_rate=0.003,
    warmup_steps=0,
    batch=Batch(pairs=4, singles=4, lists=4),
    max_grad_norm=1e9,
    probe_every=10,
)


@pytest.mark.parametrize("name", ["dpo", "kto", "pro_s"])
@pytest.mark.parametrize("architecture", ["gpt_neox", "llama", "qwen2"])
def test_twenty_steps_end_at_the_same_weights(architecture, name, examples, place):
    objective = Objective.of(method_spec(name), {"beta": 0.3})
    given = examples(objective.spec.feedback, 80)
    weights, rows = {}, {}
    for arrange in (together, apart):
        model = tiny_models.tiny_model(architecture)
        policy, probe = Policy(model, arrange), Probe(examples("pairs", 3))
        found = align(policy, given, objective, RECIPE, solve(4, None), 0, probe, place)
        weights[arrange] = torch.cat([item.detach().flatten() for item in model.parameters()])
        rows[arrange] = [row["value"] for row in found.dynamics.rows]
    start = tiny_models.tiny_model(architecture)
    moved = weights[apart] - torch.cat([item.detach().flatten() for item in start.parameters()])
    assert (weights[together] - weights[apart]).norm() < 1e-8 * moved.norm()
    assert moved.norm() > 0.1, "twenty steps that go nowhere would agree too"
    assert rows[together] == pytest.approx(rows[apart], rel=1e-5, abs=1e-6)
