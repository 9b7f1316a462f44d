"""The language-model head, a block of rows at a time: never all logits at once.

Log-probability, entropy and divergences are numbers of one row of logits each. All are computed
block by block, and once more block by block on the way back, so that no tensor of
[tokens, vocabulary] is ever held. Logits are made in the model's precision and read in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear
from transformers import PreTrainedModel

from plumbline.errors import ConfigError

#: Logits of one block: few enough to be small, enough for products at full speed.
BLOCK = {"cpu": 12_000_000, "cuda": 2**27}


@dataclass(frozen=True)
class Head:
    """From hidden states [N, H] to logits: cap(scale * (hidden @ weight.T + bias)).

    weight: [V, H]. bias: [V] or None. cap: logits are cap * tanh(logits / cap); None is no cap.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    cap: float | None = None

    def to(self, dtype: torch.dtype) -> Head:
        """The head in the precision of hidden states."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, weight=self.weight.to(dtype), bias=bias)

    def logits(self, hidden: Tensor) -> Tensor:
        """[N, V] in float32, or float64 for a float64 model; a new tensor."""
        return self._finish(linear(hidden, self.weight, self.bias))

    def blocks(self, hidden: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Rows in blocks of at most `BLOCK` logits, with their logits, each over the one before:
        memory that is used again need not be asked of the system again."""
        size = min(len(hidden), BLOCK[hidden.device.type] // len(self.weight)) or 1
        space = hidden.new_empty(size, len(self.weight))
        for start in range(0, len(hidden), size):
            rows = slice(start, min(start + size, len(hidden)))
            product = torch.mm(hidden[rows], self.weight.T, out=space[: rows.stop - start])
            yield rows, self._finish(product if self.bias is None else product.add_(self.bias))

    def back(self, logits: Tensor) -> Tensor | float | None:
        """d logits / d(hidden @ weight.T + bias), element by element; None is 1."""
        if self.cap is not None:
            return self.scale * (1 - (logits / self.cap).square())
        return None if self.scale == 1 else self.scale

    def _finish(self, product: Tensor) -> Tensor:
        logits = product.to(torch.promote_types(product.dtype, torch.float32))
        logits = logits if self.scale == 1 else logits.mul_(self.scale)
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)


class Reading(Protocol):
    """One number of each row of logits [n, V], and its derivative. Either may overwrite them."""

    def rows(self, block: slice) -> Reading:
        """The reading of some rows."""

    def value(self, logits: Tensor) -> Tensor:
        """[n]."""

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        """d sum(upstream * value) / d logits, [n, V]. upstream: [n]."""


@dataclass(frozen=True)
class Logprob:
    """log p(target), nats. targets: [N] int64."""

    targets: Tensor

    def rows(self, block: slice) -> Logprob:
        return Logprob(self.targets[block])

    def value(self, logits: Tensor) -> Tensor:
        target = logits.gather(1, self.targets[:, None])[:, 0]
        top = logits.amax(1, keepdim=True)
        return target - top[:, 0] - logits.sub_(top).exp_().sum(1).log()

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        slope = torch.softmax(logits, 1, out=logits).mul_(-upstream[:, None])
        return slope.scatter_add_(1, self.targets[:, None], upstream[:, None])


@dataclass(frozen=True)
class Entropy:
    """-sum p log p over the vocabulary, nats."""

    def rows(self, block: slice) -> Entropy:
        return self

    def value(self, logits: Tensor) -> Tensor:
        logs = logits.log_softmax(1)
        return -(logs.exp() * logs).sum(1)

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        logs = logits.log_softmax(1)
        return -upstream[:, None] * logs.exp() * (logs + self.value(logits)[:, None])


@dataclass(frozen=True)
class Divergence:
    """KL(other || policy) over the vocabulary, nats. head, hidden: the other's, [N, H]."""

    head: Head
    hidden: Tensor

    def rows(self, block: slice) -> Divergence:
        return replace(self, hidden=self.hidden[block])

    def value(self, logits: Tensor) -> Tensor:
        other = self.head.to(self.hidden.dtype).logits(self.hidden).log_softmax(1)
        return (other.exp() * (other - logits.log_softmax(1))).sum(1)

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        other = self.head.to(self.hidden.dtype).logits(self.hidden).softmax(1)
        return (logits.softmax(1) - other).mul_(upstream[:, None])


@dataclass(frozen=True)
class ReverseDivergence:
    """KL(policy || other) over the vocabulary, nats. head, hidden: the other's, [N, H]."""

    head: Head
    hidden: Tensor

    def rows(self, block: slice) -> ReverseDivergence:
        return replace(self, hidden=self.hidden[block])

    def value(self, logits: Tensor) -> Tensor:
        logs = logits.log_softmax(1)
        return (logs.exp() * (logs - self._other())).sum(1)

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        logs = logits.log_softmax(1)
        ratios = logs - self._other()
        value = (logs.exp() * ratios).sum(1, keepdim=True)
        return upstream[:, None] * logs.exp() * (ratios - value)

    def _other(self) -> Tensor:
        return self.head.to(self.hidden.dtype).logits(self.hidden).log_softmax(1)


@dataclass(frozen=True)
class LogSquares:
    """log sum p^2 over the vocabulary, nats, <= 0."""

    def rows(self, block: slice) -> LogSquares:
        return self

    def value(self, logits: Tensor) -> Tensor:
        return (2 * logits.log_softmax(1)).logsumexp(1)

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        return 2 * upstream[:, None] * ((2 * logits).softmax(1) - logits.softmax(1))


@dataclass(frozen=True)
class Largest:
    """The largest logit."""

    def rows(self, block: slice) -> Largest:
        return self

    def value(self, logits: Tensor) -> Tensor:
        return logits.amax(1)

    def slope(self, logits: Tensor, upstream: Tensor) -> Tensor:
        top = logits.argmax(1, keepdim=True)
        return logits.zero_().scatter_(1, top, upstream[:, None])


class _Blocks(torch.autograd.Function):
    """A reading of all rows. It remembers hidden states only and makes each block's logits twice:
    a head costs a third more time than with its logits kept, and almost no memory."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, head: Head, reading: Reading
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias)
        ctx.head, ctx.reading = replace(head, weight=None, bias=None), reading
        blocks = head.to(hidden.dtype).blocks(hidden)
        return torch.cat([reading.rows(rows).value(logits) for rows, logits in blocks])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias = ctx.saved_tensors
        head = replace(ctx.head, weight=weight, bias=bias).to(hidden.dtype)
        to_hidden = torch.empty_like(hidden)
        to_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        to_bias = torch.zeros_like(bias) if ctx.needs_input_grad[2] else None
        for rows, logits in head.blocks(hidden):
            back = head.back(logits)  # before the logits are overwritten
            slope = ctx.reading.rows(rows).slope(logits, upstream[rows])
            slope = (slope if back is None else slope.mul_(back)).to(hidden.dtype)
            torch.mm(slope, head.weight, out=to_hidden[rows])
            if to_weight is not None:
                _add_product(to_weight, slope.T, hidden[rows])
            if to_bias is not None:
                to_bias += slope.sum(0)
        return to_hidden, to_weight, to_bias, None, None


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, without a tensor between where precisions agree."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def read(head: Head, hidden: Tensor, reading: Reading) -> Tensor:
    """A reading of every row of hidden states [N, H]: [N], float32 (float64 for float64 models)."""
    return _Blocks.apply(hidden, head.weight, head.bias, head, reading)


def head_of(model: PreTrainedModel) -> Head:
    """A causal model's head, with the scale or the cap that its config gives to logits."""
    layer, config = model.get_output_embeddings(), model.config
    scale = getattr(config, "logit_scale", None) or 1 / (
        getattr(config, "logits_scaling", None) or 1
    )
    cap = getattr(config, "final_logit_softcapping", None)
    return Head(layer.weight, getattr(layer, "bias", None), scale, cap)


@torch.no_grad()
def check_head(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Raises ConfigError where a model's logits are not those of `head_of`.

    Its log-probabilities would silently be wrong. ids: any conversation.
    """
    given = torch.tensor([list(ids)], device=model.device)
    hidden = model.base_model(input_ids=given, use_cache=False).last_hidden_state[0]
    theirs, ours = model(input_ids=given).logits[0], head_of(model).logits(hidden)
    tolerance = torch.finfo(theirs.dtype).eps ** 0.5
    if not torch.allclose(theirs.to(ours.dtype), ours, rtol=tolerance, atol=tolerance):
        raise ConfigError(
            f"{type(model).__name__} changes its logits after the language-model head in a way "
            "that log-probabilities here do not know; choose another model"
        )
