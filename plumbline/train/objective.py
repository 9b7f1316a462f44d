"""From token log-probabilities to a loss, its coefficients, and what the training log records.

The engine owns everything around a loss: it builds the batch that the method's signature asks
for, reduces its per-example losses to a mean over the global batch, and differentiates that mean
with respect to the token log-probabilities. These coefficients dL/dlogp are all that
back-propagation through the model needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from plumbline.batches import OF_EXAMPLES, Completions, Lists, Pairs, Singles
from plumbline.errors import MethodError
from plumbline.model.head import LogSquares, Reading
from plumbline.model.logprobs import Policy
from plumbline.model.sequences import Group, Sequences
from plumbline.plugins import MethodSpec, load_method, load_relabel
from plumbline.schema import ClassWeights
from plumbline.train.examples import Example

#: Needs that are numbers of the policy's own logits, by the frozen reference.
READERS: dict[str, Callable[[Policy | None], Callable[[Sequences], Reading]]] = {
    "token_divergence": lambda reference: reference.divergence,
    "token_reverse_divergence": lambda reference: reference.reverse_divergence,
    "token_log_squares": lambda reference: lambda sequences: LogSquares(),
}
#: Those for which the reference is kept at hand while training.
BESIDE_REFERENCE = {"token_divergence", "token_reverse_divergence"}


@dataclass(frozen=True)
class Inputs:
    """One micro-batch of B examples with K completions each, R = B * K, example by example.

    sequences: of the R completions. references: [B, K]. desirable: [B] bool or None.
    scores: [B, K] or None. mismatched: of B completions, or None; mismatched_references: [B] or
    None. of_examples: of `batches.OF_EXAMPLES` what the examples have, [B, ...]. annotations: by
    need, [R, T], zero on padding.
    """

    sequences: Sequences
    references: Tensor
    desirable: Tensor | None
    scores: Tensor | None
    mismatched: Sequences | None
    mismatched_references: Tensor | None
    ids: tuple[str, ...]
    of_examples: Mapping[str, Tensor] = field(default_factory=dict)
    annotations: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def tokens(self) -> Tensor:
        """Completion tokens, [B, K]."""
        return self.sequences.lengths.view(len(self.ids), -1)

    def to(self, device: torch.device) -> Inputs:
        """The same batch on another device."""
        moved = {
            item.name: value.to(device)
            for item in fields(self)
            if hasattr(value := getattr(self, item.name), "to")
        }
        mappings = {
            name: {key: value.to(device) for key, value in getattr(self, name).items()}
            for name in ("of_examples", "annotations")
        }
        return replace(self, **moved, **mappings)


def collate(examples: Sequence[Example], pack: Callable[[Sequence[Group]], Sequences]) -> Inputs:
    """Pad and stack examples of one feedback; `pack` lays out their rows."""
    first = examples[0]
    others = [(item.prompt, (item.mismatched,)) for item in examples] if first.mismatched else []
    return Inputs(
        sequences=pack([item.group for item in examples]),
        references=torch.tensor([item.references for item in examples]),
        desirable=_column(examples, "desirable", first.desirable is not None),
        scores=_column(examples, "scores", first.scores is not None),
        mismatched=pack(others) if others else None,
        mismatched_references=_column(examples, "mismatched_reference", bool(others)),
        ids=tuple(item.id for item in examples),
        of_examples={
            name: torch.stack([torch.as_tensor(getattr(item, name)) for item in examples])
            for name in OF_EXAMPLES
            if getattr(first, name) is not None
        },
        annotations={name: _annotation(examples, name) for name in first.annotations},
    )


def _annotation(examples: Sequence[Example], name: str) -> Tensor:
    """[R, T], completion by completion, zero on padding."""
    rows = [torch.tensor(row) for item in examples for row in item.annotations[name]]
    return pad_sequence(rows, batch_first=True)


def _column(examples: Sequence[Example], name: str, present: bool) -> Tensor | None:
    return torch.tensor([getattr(item, name) for item in examples]) if present else None


@dataclass(frozen=True)
class Objective:
    """A method at a grid point, ready to turn log-probabilities into coefficients.

    relabel: from a batch to the labels [B] that its examples keep; None unless `label` is needed.
    readings: what it needs of the policy's logits beside log-probabilities, by need. weights: of
    the classes of binary feedback.
    """

    spec: MethodSpec
    loss: Callable[[Any], Tensor]
    relabel: Callable[[Any], Tensor] | None = None
    readings: Mapping[str, Callable[[Sequences], Reading]] = field(default_factory=dict)
    weights: ClassWeights = ClassWeights()

    @classmethod
    def of(
        cls,
        spec: MethodSpec,
        point: dict[str, float],
        reference: Policy | None = None,
        weights: ClassWeights | None = None,
    ) -> Objective:
        """The objective of a method file at hyperparameters `point`.

        reference: the frozen model, for a method of which `beside_reference` is true.
        """
        readings = {name: READERS[name](reference) for name in spec.card.needs if name in READERS}
        relabel = _relabel(spec, point) if "label" in spec.card.needs else None
        loss = partial(load_method(spec), **point)
        return cls(spec, loss, relabel, readings, weights or ClassWeights())

    def forward(self, policy: Callable[..., Tensor], inputs: Inputs) -> Tensor:
        """[R, S, T]: of every completion first the token log-probabilities, then the readings."""
        return policy(inputs.sequences, tuple(self.readings.values())).movedim(0, 1)

    @torch.no_grad()
    def mismatched(self, policy: Callable[[Sequences], Tensor], inputs: Inputs) -> Tensor | None:
        """Token log-probabilities of the mismatched completions, [B, T]; None unless needed."""
        if "mismatched" not in self.spec.card.needs:
            return None
        return policy(inputs.mismatched)[0]

    def coefficients(
        self, tokens: Tensor, inputs: Inputs, mismatched: Tensor | None, examples: int
    ) -> tuple[Tensor, Tensor]:
        """Per-example losses [B] and d(sum of losses / examples)/d(what `forward` gave) [R, S, T].

        examples: size of the global batch, over which the mean is taken.
        """
        leaf = tokens.detach().requires_grad_()
        losses = self.loss(self.batch(leaf, inputs, mismatched))
        if losses.shape != (len(inputs.ids),):
            raise MethodError(
                f"{self.spec.name} returned shape {tuple(losses.shape)}; must be one loss per "
                f"example, ({len(inputs.ids)},), unreduced"
            )
        losses = losses * self._class_weights(inputs)
        (gradient,) = torch.autograd.grad(losses.sum() / examples, leaf)
        return losses.detach(), gradient

    def _class_weights(self, inputs: Inputs) -> Tensor | float:
        """A factor for each example's loss, [B]; 1 where feedback has no classes."""
        if inputs.desirable is None:
            return 1.0
        return torch.where(inputs.desirable, self.weights.desirable, self.weights.undesirable)

    @torch.no_grad()
    def relabelled(self, tokens: Tensor, inputs: Inputs) -> Tensor:
        """The labels [B] that the examples of a micro-batch keep until they are seen again."""
        return self.relabel(self.batch(tokens, inputs, None))

    def batch(
        self, tokens: Tensor, inputs: Inputs, mismatched: Tensor | None
    ) -> Pairs | Singles | Lists:
        """The batch type of the method's signature, with the needs it declares and no others."""
        names = [name for name in OF_EXAMPLES if name in self.spec.card.needs]
        needed = {name: inputs.of_examples[name] for name in names}
        columns = self._columns(tokens, inputs, mismatched)
        return replace(columns, needed={**columns.needed, **needed})

    def _columns(
        self, tokens: Tensor, inputs: Inputs, mismatched: Tensor | None
    ) -> Pairs | Singles | Lists:
        shape = inputs.tokens.shape
        values, *read = tokens.unflatten(0, shape).unbind(2)
        token_level = dict(zip(self.readings, read, strict=True)) | {
            name: value.unflatten(0, shape) for name, value in inputs.annotations.items()
        }
        whole = self._completions(values, inputs.tokens, inputs.references, token_level)
        if self.spec.feedback == "lists":
            return Lists(whole, inputs.scores)
        first, *rest = (self._column(whole, index) for index in range(shape[1]))
        if "traceless" in self.spec.card.needs:
            rejected, *others = rest
            return Pairs(first, rejected, {"traceless": Pairs(*others)})
        if "reference_samples" in self.spec.card.needs:
            return Pairs(first, rest[0], {"reference_samples": self._column(whole, slice(2, None))})
        if self.spec.feedback == "pairs":
            return Pairs(first, *rest)
        return Singles(first, inputs.desirable, self._mismatched(inputs, mismatched))

    def _completions(
        self,
        tokens: Tensor,
        counts: Tensor,
        reference: Tensor,
        token_level: Mapping[str, Tensor],
    ) -> Completions:
        """A column of responses from its token log-probabilities and other needs [..., T]."""
        mask = torch.arange(tokens.shape[-1], device=tokens.device) < counts[..., None]
        known = {
            "reference": {"reference": reference},
            "token_values": {"token_policy": tokens, "token_mask": mask},
            **{name: {name: value} for name, value in token_level.items()},
        }
        needs = [known[name] for name in self.spec.card.needs if name in known]
        needed = {name: value for item in needs for name, value in item.items()}
        return Completions(tokens.sum(-1), counts, needed)

    def _column(self, whole: Completions, index: int | slice) -> Completions:
        needed = {name: value[:, index] for name, value in whole.needed.items()}
        return Completions(whole.policy[:, index], whole.tokens[:, index], needed)

    def _mismatched(self, inputs: Inputs, tokens: Tensor | None) -> Completions | None:
        if tokens is None:
            return None
        lengths = inputs.mismatched.lengths
        return self._completions(tokens, lengths, inputs.mismatched_references, {})


def beside_reference(spec: MethodSpec) -> bool:
    """Whether a method reads the policy's logits beside the reference's."""
    return not BESIDE_REFERENCE.isdisjoint(spec.card.needs)


def _relabel(spec: MethodSpec, point: dict[str, float]) -> Callable[[Any], Tensor]:
    """A file's `relabel` at a grid point; it takes those hyperparameters that it names."""
    function = load_relabel(spec)
    values = spec.values(point)
    _, *names = signature(function).parameters
    return partial(function, **{name: values[name] for name in names})


def batch_metrics(losses: Tensor, tokens: Tensor, inputs: Inputs) -> dict[str, float]:
    """What the training log records of one global batch.

    chosen and rejected are, for singles, the desirable and the undesirable completions, and for
    lists the best and the worst scored one. A batch without one of them records no number for it.
    """
    sums = tokens.detach().sum(1).view(inputs.tokens.shape)
    ratios, counts = sums - inputs.references, inputs.tokens.float()
    chosen, rejected = _sides(inputs)
    values = {"loss": losses.mean()}
    for name, side in (("chosen", chosen), ("rejected", rejected)):
        values[f"{name}_logratio"] = ratios[side].mean()
        values[f"{name}_tokens"] = counts[side].mean()
    values["margin"] = values["chosen_logratio"] - values["rejected_logratio"]
    if ratios.shape[1] > 1:
        values["accuracy"] = (ratios[chosen] > ratios[rejected]).float().mean()
    return {name: float(value) for name, value in values.items() if value.isfinite()}


def _sides(inputs: Inputs) -> tuple[Any, Any]:
    """Index of the chosen and of the rejected completion in a [B, K] tensor."""
    rows = torch.arange(len(inputs.ids), device=inputs.references.device)
    if inputs.desirable is not None:
        return inputs.desirable[:, None], ~inputs.desirable[:, None]
    if inputs.scores is not None:
        return (rows, inputs.scores.argmax(1)), (rows, inputs.scores.argmin(1))
    return (rows, 0), (rows, 1)
