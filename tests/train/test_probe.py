"""What is looked at during training, measured from the model that training starts at."""

import pytest
import torch

from plumbline.model.logprobs import Policy, sequence_logprobs
from plumbline.train.probe import Probe


def test_measures_by_hand(policy, examples):
    """Log-ratios of another model to the first one measured, over three pairs."""
    pairs = examples("pairs", 3)
    start, later = Policy(policy(1)), Policy(policy(2))
    probe = Probe(pairs)
    probe.measure(start, 0)
    found = probe.measure(later, 5)
    sums = {
        (model, side): torch.tensor(sequence_logprobs(model, [pair.group for pair in pairs]))[
            :, side
        ]
        for model in (start, later)
        for side in (0, 1)
    }
    chosen, rejected = (sums[later, side] - sums[start, side] for side in (0, 1))
    assert found == pytest.approx(
        {
            "chosen_logratio": chosen.mean().item(),
            "rejected_logratio": rejected.mean().item(),
            "chosen_logprob": sums[later, 0].mean().item(),
            "rejected_logprob": sums[later, 1].mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "accuracy": (chosen > rejected).double().mean().item(),
            "chosen_below": (chosen < 0).double().mean().item(),
        },
        rel=1e-5,
    )


def test_the_first_measurement_is_the_reference(policy, examples):
    found = Probe(examples("pairs", 3)).measure(Policy(policy()), 0)
    assert found["chosen_logratio"] == found["margin"] == found["chosen_below"] == 0
    assert found["chosen_logprob"] < -1


def test_without_pairs_there_are_answers_and_no_measures(policy):
    """As of binary feedback."""
    probe = Probe([], lambda model: [{"id": "q", "answers": ["yes"]}])
    assert probe.measure(Policy(policy()), 0) == {} and len(probe.answers) == 1
    again = Probe([])
    again.restore(probe.state())
    assert again.measure(Policy(policy()), 5) == {}


def test_answers_carry_their_step_and_the_mode_is_restored(policy, examples):
    seen = []

    def answer(model):
        seen.append(model.training)
        return [{"id": "q", "answers": ["yes"]}]

    probe, model = Probe(examples("pairs", 2), answer), Policy(policy()).train()
    probe.measure(model, 0)
    probe.measure(model, 40)
    assert [row["step"] for row in probe.answers] == [0, 40]
    assert probe.answers[1] == {"step": 40, "id": "q", "answers": ["yes"]}
    assert seen == [False, False] and model.training


def test_measuring_changes_nothing(policy, examples):
    model, twin = policy(), policy()
    Probe(examples("pairs", 2)).measure(Policy(model), 0)
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, other) and one.grad is None
