"""Log-probabilities of completions: only their positions pass through the language-model head."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedConfig, PreTrainedModel

from plumbline.model import attention
from plumbline.model.head import (
    Divergence,
    Largest,
    Logprob,
    Reading,
    ReverseDivergence,
    head_of,
    read,
)
from plumbline.model.sequences import Group, Ids, Sequences, apart, pack, together

#: Tokens of one forward pass without gradient, padding included.
TOKENS = 16_384
PRECISIONS = {"float32": None, "bf16": torch.bfloat16}


class Policy(torch.nn.Module):
    """A causal model seen as what gives completions their log-probabilities.

    Training calls it rather than the model, so that whatever wraps it (DDP, FSDP) sees each use.
    arrange: how prompts with several completions become rows, `together` or `apart`.
    precision: of the forward pass, a key of `PRECISIONS`; log-probabilities are float32 in both.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        arrange: Callable[[Sequence[Group]], list[Group]] = apart,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.model, self.arrange, self.dtype = model, arrange, PRECISIONS[precision]
        # By this name accelerate asks which layers FSDP may share out one by one.
        self._no_split_modules = model._no_split_modules

    @classmethod
    def sharing(cls, model: PreTrainedModel, longest: int, precision: str = "float32") -> Policy:
        """A policy that computes each prompt once, where the model can.

        longest: tokens of the longest prompt with one completion.
        """
        if not can_share(model, longest):
            return cls(model, apart, precision)
        attend_in_blocks(model)
        return cls(model, together, precision)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.model.device

    @property
    def config(self) -> PreTrainedConfig:
        """The model's."""
        return self.model.config

    def pack(self, groups: Sequence[Group]) -> Sequences:
        """Rows for `forward`, completions in the order given."""
        return pack(self.arrange(groups))

    def forward(
        self, sequences: Sequences, also: Sequence[Callable[[Sequences], Reading]] = ()
    ) -> Tensor:
        """[S, R, T] float32, zero on padding: first each completion token's log-probability, nats,
        then what `also` asks of its row of logits. T is the longest completion. float64 models
        give float64.
        """
        hidden = self._hidden(sequences)
        readings = [Logprob(sequences.targets), *(make(sequences) for make in also)]
        head = head_of(self.model)
        return torch.stack(
            [sequences.by_completion(read(head, hidden, reading)) for reading in readings]
        )

    @torch.no_grad()
    def divergence(self, sequences: Sequences) -> Divergence:
        """KL(this || another policy) at each completion token, for the other one to read."""
        return Divergence(head_of(self.model), self._hidden(sequences))

    @torch.no_grad()
    def reverse_divergence(self, sequences: Sequences) -> ReverseDivergence:
        """KL(another policy || this) at each completion token, for the other one to read."""
        return ReverseDivergence(head_of(self.model), self._hidden(sequences))

    @torch.no_grad()
    def hidden_means(self, sequences: Sequences) -> Tensor:
        """[layers, N] float32: means of the states from which tokens are predicted.

        Of the embeddings and of each layer but the last, whose state comes normalised: its mean
        would be that of a norm's bias.
        """
        body = self.model.base_model(
            input_ids=sequences.ids,
            use_cache=False,
            output_hidden_states=True,
            **_layout(self.model, sequences),
        )
        places = tuple(sequences.sources)
        return torch.stack([layer[places].float().mean(-1) for layer in body.hidden_states[:-1]])

    def embedding_slopes(self, sequences: Sequences) -> Tensor:
        """[N] float32: where each completion token is predicted from, the L1 norm of the gradient,
        with respect to the embedding there, of the largest logit of the completion's last
        prediction.
        """
        embedded = self.model.get_input_embeddings()(sequences.ids).detach().requires_grad_()
        ends = sequences.lengths.cumsum(0) - 1
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
            body = self.model.base_model(
                inputs_embeds=embedded, use_cache=False, **_layout(self.model, sequences)
            )
            hidden = body.last_hidden_state[tuple(sequences.sources[:, ends])]
        targets = read(head_of(self.model), hidden, Largest())
        (slopes,) = torch.autograd.grad(targets.sum(), embedded)
        return slopes.float().abs().sum(-1)[tuple(sequences.sources)]

    def generate(self, *args: Any, **options: Any) -> Any:
        """The model's own."""
        return self.model.generate(*args, **options)

    def _hidden(self, sequences: Sequences) -> Tensor:
        """[N, H], in the precision in which the head shall make its products."""
        if self.dtype is None:
            return completion_hidden(self.model, sequences)
        with torch.autocast(self.device.type, self.dtype):
            return completion_hidden(self.model, sequences).to(self.dtype)


def of_model(weights: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
    """A policy's state as its model's."""
    return weights and {name.removeprefix("model."): item for name, item in weights.items()}


def completion_hidden(model: PreTrainedModel, sequences: Sequences) -> Tensor:
    """Hidden states from which the N completion tokens are predicted, [N, H]."""
    body = model.base_model(input_ids=sequences.ids, use_cache=False, **_layout(model, sequences))
    return body.last_hidden_state[tuple(sequences.sources)]


def _layout(model: PreTrainedModel, sequences: Sequences) -> dict[str, Any]:
    """What tells a model which token attends to which; nothing of ordinary causal rows."""
    if sequences.positions is None:
        return {}
    how = model.config._attn_implementation
    if how == attention.NAME and sequences.ids.shape[1] >= attention.LONG:
        return {"position_ids": sequences.positions, "spans": sequences.spans}
    mask = sequences.attention()
    if how == "eager":
        lowest = torch.finfo(model.dtype).min
        mask = torch.zeros_like(mask, dtype=model.dtype).masked_fill(~mask, lowest)
    return {"position_ids": sequences.positions, "attention_mask": mask}


def sequence_logprobs(policy: Policy, groups: Sequence[Group]) -> list[list[float]]:
    """Summed log-probability of each completion, nats, in the order given; no gradient."""
    sums = dict(logprobs_by_row(policy, groups))
    return [sums[row] for row in range(len(groups))]


def token_logprobs(policy: Policy, groups: Sequence[Group]) -> list[list[list[float]]]:
    """Log-probability of each token of each completion, nats, in the order given; no gradient."""
    found = dict(_values_by_row(policy, groups, TOKENS))
    return [
        [values[: len(ids)].tolist() for values, ids in zip(found[row], answers, strict=True)]
        for row, (_, answers) in enumerate(groups)
    ]


def logprobs_by_row(
    policy: Policy, groups: Sequence[Group], tokens: int = TOKENS
) -> Iterator[tuple[int, list[float]]]:
    """(index, summed log-probabilities of its completions) of every group, shortest first.

    Rows of like length go together in passes of at most `tokens` tokens, so that little is spent
    on padding; a longer row passes alone.
    """
    for row, values in _values_by_row(policy, groups, tokens):
        yield row, values.sum(1).tolist()


@torch.no_grad()
def _values_by_row(
    policy: Policy, groups: Sequence[Group], tokens: int
) -> Iterator[tuple[int, Tensor]]:
    """(index, token log-probabilities [completions, T]) of every group; see `logprobs_by_row`."""
    for rows in passes([row_length(group) for group in groups], tokens):
        values = policy(policy.pack([groups[row] for row in rows]).to(policy.device))[0]
        counts = [len(groups[row][1]) for row in rows]
        yield from zip(rows, values.split(counts), strict=True)


@torch.no_grad()
def mean_hidden(policy: Policy, prompts: Sequence[Ids], tokens: int = TOKENS) -> Tensor:
    """Mean last hidden state over each prompt's tokens, [len(prompts), H] float32, on the CPU.

    float64 models give float64. Prompts go in passes of at most `tokens` tokens.
    """
    found = {}
    for rows in passes([len(prompt) for prompt in prompts], tokens):
        means = _means(policy, [prompts[row] for row in rows]).cpu()
        found |= dict(zip(rows, means, strict=True))
    return torch.stack([found[row] for row in range(len(prompts))])


def _means(policy: Policy, prompts: Sequence[Ids]) -> Tensor:
    """[B, H]. Padding is on the right, where nothing that counts looks."""
    ids = pad_sequence([torch.tensor(prompt) for prompt in prompts], batch_first=True)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=policy.device)[:, None]
    with torch.autocast(policy.device.type, policy.dtype, enabled=policy.dtype is not None):
        body = policy.model.base_model(input_ids=ids.to(policy.device), use_cache=False)
    hidden = body.last_hidden_state
    hidden = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
    counted = torch.arange(ids.shape[1], device=policy.device) < lengths
    return (hidden * counted[..., None]).sum(1) / lengths


def row_length(group: Group) -> int:
    """Tokens of a prompt with all its completions."""
    prompt, answers = group
    return len(prompt) + sum(map(len, answers))


def passes(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Indices in order of length, in blocks whose longest row times count is at most `tokens`."""
    block: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if block and lengths[row] * (len(block) + 1) > tokens:
            yield block
            block = []
        block.append(row)
    if block:
        yield block


def can_share(model: PreTrainedModel, longest: int) -> bool:
    """Whether completions may share the computation of their prompt in this model.

    It is tried: two completions in one row must have the log-probabilities that they have apart,
    which they have not where a layer carries state from token to token or counts positions by
    itself. Attention that looks back less than `longest` tokens, or takes no mask, forbids it.
    """
    if "position_ids" not in inspect.signature(model.base_model.forward).parameters:
        return False
    window = getattr(model.config, "sliding_window", None)
    if (window and window < longest) or "flash" in model.config._attn_implementation:
        return False
    return agrees(model)


def attend_in_blocks(model: PreTrainedModel) -> None:
    """Give a model that shares prompts the attention for long rows, where it can take it."""
    if model.config._attn_implementation != "sdpa" or not attention.passes_spans_on(model):
        return
    model.set_attn_implementation(attention.NAME)
    if not agrees(model, completions=attention.LONG // 3):
        model.set_attn_implementation("sdpa")


@torch.no_grad()
def agrees(model: PreTrainedModel, completions: int = 2) -> bool:
    """Whether completions in one row have the log-probabilities that they have apart."""
    training = model.training
    model.eval()
    several = [(3, 5, 7 + number % 2, 2) for number in range(completions)]
    groups = [(range(1, 9), several)]
    policies = [Policy(model, together), Policy(model, apart)]
    both = [policy(policy.pack(groups).to(policy.device)) for policy in policies]
    model.train(training)
    # Norms of many architectures round to float32 whatever the model's precision is.
    tolerance = max(torch.finfo(dtype).eps for dtype in (model.dtype, torch.float32)) ** 0.5
    return bool(torch.allclose(*both, rtol=tolerance, atol=tolerance))
