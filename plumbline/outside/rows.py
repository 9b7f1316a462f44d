"""Rows of log-probabilities as others write them down, and a method's losses and gradients there.

A row of pairs has the keys `policy_chosen`, `policy_rejected`, `reference_chosen`,
`reference_rejected`, `chosen_tokens` and `rejected_tokens`; one of singles `policy`, `reference`,
`tokens` and `desirable`; one of lists the same as arrays, a number for each response, and `scores`.
Any other need is a key of its name, ending in `_chosen` and `_rejected` where it belongs to a
response of a pair; `mismatched` is the log-ratio of the mismatched completion, and the keys of a
pair without its traces are a pair's behind `traceless_`; `policy_samples` and `reference_samples`
are arrays with an entry for each completion of the reference. A log-probability is the sum over the
completion's tokens in nats, or an array with a number for each token.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from plumbline.batches import NEEDS, OF_EXAMPLES, READINGS, Completions, Lists, Pairs, Singles
from plumbline.errors import DataError, MethodError, did_you_mean
from plumbline.plugins import MethodSpec

#: The columns of each feedback, and what the keys of each end in.
COLUMNS = {
    "pairs": {"chosen": "_chosen", "rejected": "_rejected"},
    "singles": {"completion": ""},
    "lists": {"completions": ""},
}
#: Needs that are no keys of a column: those of examples, and what an array of tokens tells.
OTHERS = {*OF_EXAMPLES, "mismatched", "token_values", "traceless", "reference_samples"}
#: Keys whose value is one array of an example.
ARRAYS = ("embedding", "policy_samples", "reference_samples")
#: How the keys of a pair without its traces begin.
TRACELESS = "traceless_"
#: What a method that counts tokens reads.
COUNTS = {"tokens", "mean_policy"}
#: Nats by which rounding may lift a log-probability above zero.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Kind:
    """What a number must be: in words, and as a test of it."""

    words: str
    holds: Callable[[Any], bool]


def _finite(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


NUMBER = Kind("a finite number", _finite)
NATS = Kind("a log-probability in nats, <= 0", lambda item: _finite(item) and item <= ROUNDING)
SHARE = Kind("a number between 0 and 1", lambda item: _finite(item) and 0 <= item <= 1)
COUNT = Kind("a number of tokens, an integer >= 1", lambda item: type(item) is int and item >= 1)
TRUTH = Kind("true or false", lambda item: isinstance(item, bool))
KINDS = {"reference": NATS, "token_reference": NATS, "embedding": NUMBER, "propensity": SHARE}
KINDS |= {"label": SHARE, "token_log_squares": NATS, "token_importance": SHARE}


@dataclass(frozen=True)
class Given:
    """A batch made of rows.

    leaves: the tensors that carry gradient, by their rows' key; lengths: of the completions [B][N]
    where they are padded, by the same key.
    """

    batch: Pairs | Singles | Lists
    leaves: dict[str, Tensor]
    lengths: dict[str, list[list[int]]]


def losses_and_gradients(function: Callable, given: Given) -> dict[str, Any]:
    """{"losses": [B], "gradients": {key: shaped like the rows' values}}, in plain numbers.

    The gradient is that of the sum of the losses, which is each example's own where the method is
    not coupled. MethodError where a number is not finite.
    """
    losses = function(given.batch)
    slopes = torch.autograd.grad(
        losses.sum(), list(given.leaves.values()), allow_unused=True, materialize_grads=True
    )
    gradients = dict(zip(given.leaves, slopes, strict=True))
    for name, values in {"losses": losses, **gradients}.items():
        if not values.isfinite().all():
            raise MethodError(f"{name}: not all are finite: {values.tolist()}")
    cut = {
        key: _cut(slope, given.lengths[key]) if key in given.lengths else slope.tolist()
        for key, slope in gradients.items()
    }
    return {"losses": losses.tolist(), "gradients": cut}


def read(found: Any, spec: MethodSpec, dtype: torch.dtype) -> Given:
    """The batch of a JSON document: a list of rows, or an object of columns.

    DataError names the row, the key, its value and what would be right.
    """
    return _Reader(_rows(found), spec, dtype).given()


def keys(feedback: str) -> list[str]:
    """Every key that a row of a feedback may have."""
    names = ["policy", *(need for need in NEEDS if need not in OTHERS)]
    labels = {"pairs": (), "singles": ("desirable", "mismatched"), "lists": ("scores",)}
    ends = COLUMNS[feedback].values()
    columns = [f"{name}{end}" for name in names for end in ends] + [tokens_key(end) for end in ends]
    traceless = [TRACELESS + key for key in columns] if feedback == "pairs" else []
    samples = ARRAYS[1:] if feedback == "pairs" else ()
    return [*columns, *labels[feedback], *OF_EXAMPLES, *traceless, *samples]


def tokens_key(end: str) -> str:
    """The key of a column's token counts."""
    return f"{end[1:]}_tokens" if end else "tokens"


def _rows(found: Any) -> list[dict[str, Any]]:
    """The rows, in whichever of the two ways they were written."""
    if isinstance(found, dict):
        found = _from_columns(found)
    if not isinstance(found, list) or not found:
        raise DataError("a batch is a list of rows or an object of columns, and has one at least")
    for place, row in enumerate(found):
        if not isinstance(row, dict):
            raise DataError(f"row {place} is {row!r}; must be an object: key, number")
    return found


def _from_columns(columns: dict[str, Any]) -> list[dict[str, Any]]:
    for key, values in columns.items():
        if not isinstance(values, list):
            raise DataError(f"{key} is {values!r}; must be an array with a value for each row")
    counts = {key: len(values) for key, values in columns.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{key} {count}" for key, count in counts.items())
        raise DataError(f"every column must have a value for each row; they have: {listed}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class _Reader:
    """Makes of rows the batch that a method's signature asks for.

    A cell is what a row says of one response: a number, or an array with a number for each token.
    Cells stand in rows [B][N], N = 1 but for lists.
    """

    rows: list[dict[str, Any]]
    spec: MethodSpec
    dtype: torch.dtype
    leaves: dict[str, Tensor] = field(default_factory=dict)
    lengths: dict[str, list[list[int]]] = field(default_factory=dict)

    def given(self) -> Given:
        self.refuse_unknown_keys()
        feedback, needs = self.spec.feedback, self.spec.card.needs
        columns = {name: self.column(end) for name, end in COLUMNS[feedback].items()}
        of_examples = [name for name in OF_EXAMPLES if name in needs]
        needed = {name: self.plain(name, KINDS.get(name, NUMBER)) for name in of_examples}
        if "traceless" in needs:
            ends = COLUMNS[feedback].items()
            needed["traceless"] = Pairs(**{name: self.column(end, TRACELESS) for name, end in ends})
        if "reference_samples" in needs:
            needed["reference_samples"] = self.token_samples() if self.by_token else self.samples()
        if feedback == "pairs":
            batch = Pairs(**columns, needed=needed)
        elif feedback == "singles":
            desirable = self.plain("desirable", TRUTH).bool()
            mismatched = self.mismatched() if "mismatched" in needs else None
            batch = Singles(**columns, desirable=desirable, mismatched=mismatched, needed=needed)
        else:
            batch = Lists(**columns, scores=self.scores(), needed=needed)
        return Given(batch, self.leaves, self.lengths)

    @property
    def listed(self) -> bool:
        return self.spec.feedback == "lists"

    @property
    def by_token(self) -> list[str]:
        """The needs for which numbers of each token must be there."""
        return [need for need in self.spec.card.needs if need.startswith("token_")]

    def refuse_unknown_keys(self) -> None:
        known = keys(self.spec.feedback)
        for place, row in enumerate(self.rows):
            for key in (key for key in row if key not in known):
                raise DataError(
                    f"row {place}: unknown key {key!r}; {did_you_mean(key, known)}"
                    f"{self.spec.name} learns from {self.spec.feedback}, whose keys are "
                    f"{', '.join(known)}"
                )

    def column(self, end: str, start: str = "") -> Completions:
        """A column of responses, with the needs that the method declares. start: of its keys."""
        key = f"{start}policy{end}"
        policy = self.cells(key, NATS)
        responses = [len(policy[0])] * len(policy)
        lengths = _lengths(policy) if self.by_token or _has_arrays(policy) else None
        self.hold_to(key, policy, responses, lengths)
        leaf = self.leaf(key, policy, lengths)
        tokens = self.tokens(start + tokens_key(end), responses, lengths)
        needed = {
            need: self.need(need, start, end, responses, lengths)
            for need in self.spec.card.needs
            if need not in OTHERS
        }
        if "token_values" in self.spec.card.needs:
            places = torch.arange(leaf.shape[-1])
            needed |= {"token_policy": leaf, "token_mask": places < tokens.unsqueeze(-1)}
        return Completions(leaf if lengths is None else leaf.sum(-1), tokens, needed)

    def need(
        self,
        need: str,
        start: str,
        end: str,
        responses: list[int],
        lengths: list[list[int]] | None,
    ) -> Tensor:
        """A need that belongs to a column."""
        key = f"{start}{need}{end}"
        if need == "token_reference" and key not in self.rows[0]:
            key = f"{start}reference{end}"
        cells = self.cells(key, KINDS.get(need, NUMBER))
        if need not in self.by_token:
            return self.tensor(self.sums(key, cells, responses, lengths), None)
        self.hold_to(key, cells, responses, lengths)
        if need in READINGS:
            return self.leaf(key, cells, lengths)
        return self.tensor(cells, lengths)

    def sums(
        self, key: str, cells: list[list], responses: list[int], lengths: list[list[int]] | None
    ) -> list[list[float]]:
        """The cells as one number each."""
        wanted = lengths or [[0] * count for count in responses]
        for place, row in enumerate(cells):
            expected = wanted[place] if _has_arrays([row]) else None
            self.hold_row_to(place, key, row, responses[place], expected)
        return [[sum(cell) if isinstance(cell, list) else cell for cell in row] for row in cells]

    def tokens(self, key: str, responses: list[int], lengths: list[list[int]] | None) -> Tensor:
        """How many tokens each completion has; not asked for where no number depends on it."""
        if key in self.rows[0] or lengths is None and _counts_tokens(self.spec):
            cells = self.cells(key, COUNT)
            self.hold_to(key, cells, responses, None)
            self.hold_to_arrays(key, cells, lengths or cells)
        else:
            cells = lengths or [[1] * count for count in responses]
        return self.tensor(cells, None).long()

    def mismatched(self) -> Completions:
        """Completions of which only the log-ratio is known."""
        ratios = self.plain("mismatched", NUMBER)
        needed = {"reference": torch.zeros_like(ratios)}
        return Completions(ratios, torch.ones_like(ratios).long(), needed)

    def samples(self) -> Completions:
        """Completions of the reference, of which only sums are known."""
        policy, reference = (self.plain(key, NATS) for key in ARRAYS[1:])
        if policy.shape != reference.shape:
            counts = f"{policy.shape[1]} and {reference.shape[1]}"
            raise DataError(
                f"policy_samples and reference_samples have {counts} numbers; must have as many"
            )
        self.leaves["policy_samples"] = policy.requires_grad_()
        return Completions(policy, torch.ones_like(policy).long(), {"reference": reference})

    def token_samples(self) -> Completions:
        """Completions of the reference, token by token."""
        policy, reference = (self.cells(key, NATS, listed=True) for key in ARRAYS[1:])
        responses, lengths = [len(policy[0])] * len(policy), _lengths(policy)
        for key, cells in zip(ARRAYS[1:], (policy, reference), strict=True):
            self.hold_to(key, cells, responses, lengths)
        leaf, theirs = (
            torch.tensor(_padded(cells, lengths), dtype=self.dtype) for cells in (policy, reference)
        )
        self.leaves["policy_samples"] = leaf.requires_grad_()
        self.lengths["policy_samples"] = lengths
        tokens = torch.tensor(lengths)
        mask = torch.arange(leaf.shape[-1]) < tokens.unsqueeze(-1)
        needed = {"token_policy": leaf, "token_mask": mask, "token_reference": theirs}
        return Completions(leaf.sum(-1), tokens, {**needed, "reference": theirs.sum(-1)})

    def scores(self) -> Tensor:
        cells, policy = self.cells("scores", SHARE), self.cells("policy", NATS)
        self.hold_to("scores", cells, [len(row) for row in policy], None)
        return self.tensor(cells, None)

    def plain(self, key: str, kind: Kind) -> Tensor:
        """What rows say of an example as a whole: numbers, or arrays of equal length."""
        values = [cells[0] for cells in self.cells(key, kind, listed=False)]
        sizes = {len(value) if isinstance(value, list) else None for value in values}
        if len(sizes) > 1 or (sizes == {None}) == (key in ARRAYS):
            form = "an array of as many numbers in every row" if key in ARRAYS else kind.words
            raise DataError(f"{key} is {values!r}; must be {form}")
        return torch.tensor(values, dtype=self.dtype)

    def cells(self, key: str, kind: Kind, listed: bool | None = None) -> list[list]:
        """A key's cells, every number in them checked."""
        listed = self.listed if listed is None else listed
        found = []
        for place, row in enumerate(self.rows):
            if key not in row:
                raise DataError(
                    f"row {place}: {key} is missing; {self.spec.name} needs {kind.words}"
                )
            for number in _flat(row[key]):
                if not kind.holds(number):
                    raise DataError(f"row {place}: {key} is {row[key]!r}; must be {kind.words}")
            if listed and not isinstance(row[key], list):
                raise DataError(
                    f"row {place}: {key} is {row[key]!r}; must be an array of responses"
                )
            found.append(row[key] if listed else [row[key]])
        return found

    def hold_to(
        self, key: str, cells: list[list], responses: list[int], lengths: list[list[int]] | None
    ) -> None:
        """DataError unless a row has a cell for each response, of one number or of `lengths`."""
        for place, row in enumerate(cells):
            self.hold_row_to(place, key, row, responses[place], lengths and lengths[place])

    def hold_row_to(
        self, place: int, key: str, row: list, responses: int, lengths: list[int] | None
    ) -> None:
        if len(row) != responses:
            raise DataError(
                f"row {place}: {key} has {len(row)} responses; must have {responses}, as many as "
                "policy and as every row"
            )
        for cell, length in zip(row, lengths or [None] * responses, strict=True):
            if _width(cell) != length:
                form = _form(length, self.by_token)
                raise DataError(f"row {place}: {key} is {cell!r}; must be {form}")

    def hold_to_arrays(self, key: str, cells: list[list], lengths: list[list[int]]) -> None:
        for place, (row, expected) in enumerate(zip(cells, lengths, strict=True)):
            if row != expected:
                raise DataError(
                    f"row {place}: {key} is {row!r}; policy has numbers of {expected!r} tokens"
                )

    def leaf(self, key: str, cells: list[list], lengths: list[list[int]] | None) -> Tensor:
        """A tensor that carries gradient."""
        self.leaves[key] = self.tensor(cells, lengths).requires_grad_()
        if lengths is not None:
            self.lengths[key] = lengths
        return self.leaves[key]

    def tensor(self, cells: list[list], lengths: list[list[int]] | None) -> Tensor:
        """[B], or [B, N] of lists, or with T behind it, zero on padding."""
        found = torch.tensor(_padded(cells, lengths) if lengths else cells, dtype=self.dtype)
        return found if self.listed else found.squeeze(1)


def _padded(cells: list[list], lengths: list[list[int]]) -> list[list]:
    """Arrays of as many numbers everywhere, zero on padding."""
    longest = max(map(max, lengths))
    return [[cell + [0.0] * (longest - len(cell)) for cell in row] for row in cells]


def _flat(value: Any) -> list:
    """The numbers of nested arrays; an empty array is one value that is no number."""
    if not isinstance(value, list) or not value:
        return [value]
    return [number for item in value for number in _flat(item)]


def _has_arrays(cells: list[list]) -> bool:
    return any(isinstance(cell, list) for row in cells for cell in row)


def _lengths(cells: list[list]) -> list[list[int]]:
    """Tokens of each cell; 0 of a number, which is none's length."""
    return [[len(cell) if isinstance(cell, list) else 0 for cell in row] for row in cells]


def _width(cell: Any) -> int | None:
    """How many numbers an array has; None of a number, -1 of arrays of arrays."""
    if not isinstance(cell, list):
        return None
    return -1 if any(isinstance(item, list) for item in cell) else len(cell)


def _form(length: int | None, by_token: list[str]) -> str:
    """What a cell should have been."""
    if length is None:
        return "one number"
    why = f" (the method needs {', '.join(by_token)})" if by_token else ""
    if length == 0:
        return f"an array with a number for each token of the completion, as policy must be{why}"
    return f"an array of {length} numbers, one for each token in policy"


def _counts_tokens(spec: MethodSpec) -> bool:
    """Whether a method's code reads how many tokens a completion has."""
    nodes = ast.walk(ast.parse(spec.path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Attribute) and node.attr in COUNTS for node in nodes)


def _cut(padded: Tensor, lengths: list[list[int]]) -> list:
    """Numbers of tokens without their padding, in the rows' own form."""
    listed = padded.dim() > 2
    rows = padded.tolist() if listed else [[row] for row in padded.tolist()]
    cut = [
        [cell[:length] for cell, length in zip(row, counts, strict=True)]
        for row, counts in zip(rows, lengths, strict=True)
    ]
    return cut if listed else [row[0] for row in cut]
