"""The model that alignment starts from, as a policy laid out for this setting and machine."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase

from plumbline.layout import ModelFolder
from plumbline.model.folder import load
from plumbline.model.logprobs import Policy
from plumbline.schema import Execution, Setting


def start(
    folder: ModelFolder, setting: Setting, execution: Execution
) -> tuple[Policy, PreTrainedTokenizerBase]:
    """The model of a stage as a policy, and its tokenizer."""
    recipe = setting.align
    quantize = recipe.adapter.quantize if recipe.adapter else "none"
    model, tokenizer = load(folder.model, execution.attention, quantize)
    return Policy.sharing(model, recipe.max_tokens, recipe.precision), tokenizer
