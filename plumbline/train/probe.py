"""What is looked at while a run trains: held-out log-ratios, and answers for later scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from plumbline.model.logprobs import Policy, sequence_logprobs
from plumbline.train.examples import Example


@dataclass
class Probe:
    """A fixed set of held-out pairs and prompts.

    pairs: examples of the pairs view, of validation prompts. answer: what answers the probe's
    prompts, or None. The first measurement is the reference: training starts at the SFT model.
    """

    pairs: Sequence[Example]
    answer: Callable[[Policy], list[dict[str, Any]]] | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    _reference: torch.Tensor | None = None

    def measure(self, policy: Policy, step: int) -> dict[str, float]:
        """Mean log-ratios to the start of training, nats, over the probe's pairs.

        chosen_below is the share of chosen completions less likely than at the start, and
        accuracy the share of pairs whose chosen log-ratio is the larger one, both in [0, 1].
        Nothing where there are no pairs, as in binary feedback.
        """
        training = policy.training
        policy.eval()
        values = torch.tensor(sequence_logprobs(policy, [pair.group for pair in self.pairs]))
        if self.answer:
            self.answers += [{"step": step, **row} for row in self.answer(policy)]
        policy.train(training)
        if self._reference is None:
            self._reference = values
        return _summary(values - self._reference, values) if self.pairs else {}

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, as JSON."""
        started = self._reference is not None
        return {
            "answers": self.answers,
            "reference": self._reference.tolist() if started else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as the probe whose `state` this was."""
        self.answers = state["answers"]
        if state["reference"] is not None:
            self._reference = torch.tensor(state["reference"])


def _summary(ratios: torch.Tensor, values: torch.Tensor) -> dict[str, float]:
    chosen, rejected = ratios.unbind(1)
    metrics = {
        "chosen_logratio": chosen.mean(),
        "rejected_logratio": rejected.mean(),
        "chosen_logprob": values[:, 0].mean(),
        "rejected_logprob": values[:, 1].mean(),
        "margin": (chosen - rejected).mean(),
        "accuracy": (chosen > rejected).float().mean(),
        "chosen_below": (chosen < 0).float().mean(),
    }
    return {name: float(value) for name, value in metrics.items()}
