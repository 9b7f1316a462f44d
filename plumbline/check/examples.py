"""Batches to try a method on, of any feedback type: random, extreme, untrained, and of a toy model.

B is the number of rows, N the responses to a prompt, T the tokens of a completion. Every batch is
built with all needs; `restricted` then removes what a method did not declare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from plumbline.batches import READINGS, Completions, Lists, Pairs, Singles

Batch = Pairs | Singles | Lists

ROWS, RESPONSES, LENGTH, VOCABULARY = 8, 4, 6, 12
#: Length of an embedding.
HIDDEN = 5
#: The columns of each feedback type; those of `LEARNING` carry gradient.
COLUMNS = {
    Pairs: ("chosen", "rejected"),
    Singles: ("completion", "mismatched"),
    Lists: ("completions",),
}
LEARNING = {Pairs: ("chosen", "rejected"), Singles: ("completion",), Lists: ("completions",)}
#: (policy, reference) in nats: log-ratios of -1e4, 0 and 1e4.
EXTREMES = torch.tensor([[-10001.0, -1.0], [-1.0, -1.0], [-1.0, -10001.0]])


def random_batch(feedback: type, seed: int) -> Batch:
    """ROWS rows of ordinary log-ratios, about 1 nat above zero on average; lengths differ."""
    generator = torch.Generator().manual_seed(seed)
    shape = _column_shape(feedback, ROWS)

    def column(name: str) -> Completions:
        policy = -0.2 - 3 * torch.rand(*shape, LENGTH, generator=generator)
        noise = torch.rand(*shape, LENGTH, generator=generator)
        mask = _mask(shape, generator)
        return _completions(policy, policy - 0.8 * noise + 0.1, mask, (noise**2 / 2, noise / 3))

    return _assemble(feedback, column, ROWS)


def extreme_batch(feedback: type) -> Batch:
    """Every combination of extreme log-ratios in the columns, under both labels."""
    count = RESPONSES if feedback is Lists else 2
    choices = torch.cartesian_prod(*[torch.arange(len(EXTREMES))] * count).repeat_interleave(2, 0)

    def column(name: str) -> Completions:
        chosen = choices if feedback is Lists else choices[:, COLUMNS[feedback].index(name)]
        policy, reference = EXTREMES[chosen].unbind(-1)
        return _spread(policy, reference)

    return _assemble(feedback, column, len(choices))


def untrained_batch(feedback: type) -> Batch:
    """Policy = reference, and the same log-probability for all responses of a row."""
    levels = torch.linspace(-5.0, -60.0, ROWS)
    if feedback is Lists:
        levels = levels.unsqueeze(-1).expand(-1, RESPONSES)
    return _assemble(feedback, lambda name: _spread(levels, levels), ROWS)


def toy_batch(feedback: type, weights: Tensor, reference: Tensor) -> Batch:
    """Completions of a bigram model with logits [VOCABULARY, VOCABULARY], as the reference has."""
    generator = torch.Generator().manual_seed(0)
    shape = _column_shape(feedback, ROWS)

    def column(name: str) -> Completions:
        tokens = torch.randint(VOCABULARY, (*shape, LENGTH + 1), generator=generator)
        step = tokens[..., :-1], tokens[..., 1:]
        learned = weights if name in LEARNING[feedback] else weights.detach()
        logs, other = learned.log_softmax(-1), reference.log_softmax(-1)
        divergence = (other.exp() * (other - logs)).sum(-1)[step[0]]
        reverse = (logs.exp() * (logs - other)).sum(-1)[step[0]]
        squares = (2 * logs).logsumexp(-1)[step[0]]
        mask = _mask(shape, generator)
        return _completions(logs[step], other[step], mask, (divergence, reverse), squares)

    return _assemble(feedback, column, ROWS)


def restricted(batch: Batch, needs: Sequence[str]) -> Batch:
    """The batch as a method with these `needs` sees it."""
    kept = set(needs)
    if "token_values" in needs:
        kept |= {"token_policy", "token_mask"}
    columns = {}
    for name in COLUMNS[type(batch)]:
        columns[name] = _stripped(getattr(batch, name), kept)
    if isinstance(batch, Singles) and "mismatched" not in needs:
        columns["mismatched"] = None
    of_examples = {name: value for name, value in batch.needed.items() if name in needs}
    if "reference_samples" in of_examples:
        of_examples["reference_samples"] = _stripped(batch.reference_samples, kept)
    if "traceless" in of_examples:
        of_examples["traceless"] = restricted(batch.traceless, needs)
    return replace(batch, **columns, needed=of_examples)


def _stripped(column: Completions, kept: set[str]) -> Completions:
    needed = {key: value for key, value in column.needed.items() if key in kept}
    return replace(column, needed=needed)


def padded(batch: Batch, extra: int) -> Batch:
    """The batch with `extra` more places of padding behind every completion's tokens."""

    def longer(column: Completions) -> Completions:
        needed = {
            name: pad(value, (0, extra)) if name.startswith("token_") else value
            for name, value in column.needed.items()
        }
        return replace(column, needed=needed)

    columns = {name: getattr(batch, name) for name in COLUMNS[type(batch)]}
    samples = {
        name: longer(item) for name, item in batch.needed.items() if name == "reference_samples"
    }
    return replace(
        batch,
        **{name: item and longer(item) for name, item in columns.items()},
        needed={**batch.needed, **samples},
    )


def mapped(item: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of a batch with `change` applied to each of its tensors."""
    if isinstance(item, Tensor):
        return change(item)
    if isinstance(item, dict):
        return {key: mapped(value, change) for key, value in item.items()}
    if is_dataclass(item):
        values = {part.name: mapped(getattr(item, part.name), change) for part in fields(item)}
        return replace(item, **values)
    return item


def tensors_of(batch: Batch) -> list[Tensor]:
    """Every tensor of a batch."""
    found: list[Tensor] = []
    mapped(batch, lambda tensor: found.append(tensor) or tensor)
    return found


def rows_of(batch: Batch) -> int:
    """The number of examples of a batch."""
    return len(tensors_of(batch)[0])


def leaves_of(batch: Batch) -> dict[str, list[Tensor]]:
    """For each learning column its policy tensors: the sum and, where needed, the tokens'.

    Columns without traces are named `traceless chosen` and `traceless rejected`, completions of the
    reference `reference_samples`.
    """
    leaves = {
        name: [column.policy, *_needed(column, ("token_policy",))]
        for name, column in _learning(batch).items()
    }
    if "traceless" in batch.needed:
        inner = leaves_of(batch.traceless)
        leaves |= {f"traceless {name}": found for name, found in inner.items()}
    if "reference_samples" in batch.needed:
        samples = batch.reference_samples
        leaves["reference_samples"] = [samples.policy, *_needed(samples, ("token_policy",))]
    return leaves


def readings_of(batch: Batch) -> list[Tensor]:
    """The numbers of the policy's logits, beside log-probabilities, that carry gradient."""
    return [item for column in _learning(batch).values() for item in _needed(column, READINGS)]


def _learning(batch: Batch) -> dict[str, Completions]:
    return {name: getattr(batch, name) for name in LEARNING[type(batch)]}


def _needed(column: Completions, needs: Sequence[str]) -> list[Tensor]:
    return [column.needed[need] for need in needs if need in column.needed]


def substituted(batch: Batch, old: Sequence[Tensor], new: Sequence[Tensor]) -> Batch:
    """The batch with the tensors `new` in the places of `old`."""
    table = {id(before): after for before, after in zip(old, new, strict=True)}
    return mapped(batch, lambda tensor: table.get(id(tensor), tensor))


def _column_shape(feedback: type, rows: int) -> tuple[int, ...]:
    return (rows, RESPONSES) if feedback is Lists else (rows,)


def _mask(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    lengths = torch.randint(2, LENGTH + 1, (*shape, 1), generator=generator)
    return torch.arange(LENGTH) < lengths


def _spread(policy: Tensor, reference: Tensor) -> Completions:
    """Completions of LENGTH equally likely tokens, from sums."""
    ones = torch.ones(LENGTH)
    policy, reference = (total.unsqueeze(-1) / LENGTH * ones for total in (policy, reference))
    mask = torch.ones(policy.shape, dtype=torch.bool)
    divergence = (policy - reference).abs()
    return _completions(policy, reference, mask, (divergence, divergence))


def _completions(
    policy: Tensor,
    reference: Tensor,
    mask: Tensor,
    divergences: tuple[Tensor, Tensor],
    squares: Tensor | None = None,
) -> Completions:
    """Completions with every need, from per-token values [..., T] and their mask.

    divergences: of the reference from the policy, and of the policy from the reference. squares:
    None are the largest that go with the policy's values.
    """
    policy, reference = policy * mask, reference * mask
    places = torch.arange(mask.shape[-1]) + mask.sum(-1, keepdim=True)
    needed = {
        "reference": reference.sum(-1),
        "token_policy": policy,
        "token_mask": mask,
        "token_reference": reference,
        "token_divergence": divergences[0] * mask,
        "token_reverse_divergence": divergences[1] * mask,
        "token_log_squares": (policy / 2 if squares is None else squares) * mask,
        "token_sample": (places % 2 * mask).to(policy.dtype),
        "token_contrast": (reference - policy).detach() * 3,
        "token_activity": (1 / (1 + places) * mask).to(policy.dtype),
        "token_importance": (places / (places * mask).sum(-1, keepdim=True) * mask).to(
            policy.dtype
        ),
    }
    return Completions(policy.sum(-1), mask.sum(-1), needed)


def _assemble(feedback: type, column: Callable[[str], Completions], rows: int) -> Batch:
    labels = {}
    if feedback is Singles:
        labels["desirable"] = torch.arange(rows) % 2 == 0
    if feedback is Lists:
        turns = torch.arange(rows).unsqueeze(-1) + torch.arange(RESPONSES)
        labels["scores"] = turns % RESPONSES / (RESPONSES - 1)
    columns = {name: column(name) for name in COLUMNS[feedback]}
    labels["needed"] = _of_examples(rows)
    if feedback is Pairs:
        labels["needed"]["traceless"] = Pairs(*map(column, COLUMNS[Pairs]))
        labels["needed"]["reference_samples"] = _beside(*map(column, COLUMNS[Pairs]))
    return feedback(**columns, **labels)


def _beside(one: Completions, other: Completions) -> Completions:
    """Two completions of each row, [B, 2], with what samples of the reference have."""
    names = ("reference", "token_policy", "token_mask", "token_reference")
    needed = {name: torch.stack([one.needed[name], other.needed[name]], 1) for name in names}
    policy, tokens = (
        torch.stack(item, 1) for item in ((one.policy, other.policy), (one.tokens, other.tokens))
    )
    return Completions(policy, tokens, needed)


def _of_examples(rows: int) -> dict[str, Tensor | Pairs | Completions]:
    """All needs of examples as wholes: propensities lie around 1/2, labels above it."""
    places = torch.arange(rows, dtype=torch.float32)
    return {
        "embedding": (places.unsqueeze(-1) * torch.arange(1, HIDDEN + 1)).sin(),
        "propensity": (1 + places % 5) / 6,
        "label": 1 - places % 5 / 10,
    }
