"""The model that alignment starts from, as a policy laid out for this setting and machine."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from plumbline.layout import ModelFolder
from plumbline.model.adapter import quantization
from plumbline.model.folder import load
from plumbline.model.logprobs import Policy
from plumbline.schema import Execution, Setting
from plumbline.train.examples import Example
from plumbline.train.geometry import Geometry, activation_bytes, fitting, room, solve, surviving


def start(
    folder: ModelFolder, setting: Setting, execution: Execution
) -> tuple[Policy, PreTrainedTokenizerBase]:
    """The model of a stage as a policy, and its tokenizer."""
    recipe = setting.align
    how = quantization(recipe.adapter) if recipe.adapter else None
    model, tokenizer = load(folder.model, execution.attention, how)
    return Policy.sharing(model, recipe.max_tokens, recipe.precision), tokenizer


def geometry(
    policy: Policy, examples: Sequence[Example], batch: int, execution: Execution
) -> Geometry:
    """How a global batch is cut: as the config says, or by what the longest example needs.

    On a GPU the answer is tried, with smaller ones after it where memory does not suffice.
    """
    if execution.micro_batch != "auto":
        return solve(batch, execution.micro_batch)
    longest = max(examples, key=lambda item: item.length)

    def trial(size: int) -> None:
        policy(policy.pack([longest.group] * size).to(policy.device)).sum().backward()
        policy.zero_grad()

    rows = policy.pack([longest.group]).to(policy.device)
    each = activation_bytes(lambda: policy(rows), policy)
    sizes = fitting(batch, each, room(policy.device, policy))
    return solve(batch, surviving(sizes, trial) if policy.device.type == "cuda" else sizes[0])
