"""What is looked at while a run trains: held-out log-ratios, and answers for later scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from plumbline.model.logprobs import sequence_logprobs
from plumbline.train.examples import Example


@dataclass
class Probe:
    """A fixed set of held-out pairs and prompts.

    pairs: examples of the pairs view, of validation prompts. answer: what answers the probe's
    prompts, or None. The first measurement is the reference: training starts at the SFT model.
    """

    pairs: Sequence[Example]
    answer: Callable[[PreTrainedModel], list[dict[str, Any]]] | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    _reference: torch.Tensor | None = None

    def measure(self, model: PreTrainedModel, step: int) -> dict[str, float]:
        """Mean log-ratios to the start of training, nats, over the probe's pairs.

        chosen_below is the share of chosen completions less likely than at the start, and
        accuracy the share of pairs whose chosen log-ratio is the larger one, both in [0, 1].
        """
        training = model.training
        model.eval()
        values = self._logprobs(model)
        if self.answer:
            self.answers += [{"step": step, **row} for row in self.answer(model)]
        model.train(training)
        if self._reference is None:
            self._reference = values
        return _summary(values - self._reference, values)

    def _logprobs(self, model: PreTrainedModel) -> torch.Tensor:
        """[pairs, 2], chosen first, nats."""
        prompts = [pair.prompt for pair in self.pairs for _ in pair.completions]
        completions = [ids for pair in self.pairs for ids in pair.completions]
        return torch.tensor(sequence_logprobs(model, prompts, completions)).view(-1, 2)


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
