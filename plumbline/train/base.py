"""Stages pretrain and sft: the models that alignment starts from, one folder each."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from plumbline import ENGINE
from plumbline.artifacts import derive_seed, folder_digest, read_json, read_rows, write_json
from plumbline.errors import ConfigError
from plumbline.layout import ModelFolder, SettingFolder
from plumbline.locks import lock
from plumbline.model.canary import canary
from plumbline.model.folder import load, load_pretrained, save, scratch_model
from plumbline.model.head import check_head
from plumbline.model.tokenizer import byte_bpe, completion_ids, prompt_ids, word_tokenizer
from plumbline.provenance import leave_trace
from plumbline.schema import Execution, ScratchModel, Setting, Sft
from plumbline.splits import Message
from plumbline.toyland.world import VOCABULARY
from plumbline.train.geometry import first, hold
from plumbline.train.language import Fitted, Text, fit
from plumbline.train.trainer import Place


def pretrain(setting: Setting, folders: SettingFolder, execution: Execution) -> None:
    """Write `pretrain/`: a model trained from scratch, or the pretrained one the config names.

    The canary conversation is rendered, and its log-probabilities are held against the model's own
    logits, before anything is trained.
    """
    started = time.perf_counter()
    with lock(folders.pretrain.folder):
        model, tokenizer, texts = _start(setting, folders)
        proof = _canary(tokenizer, folders)
        check_head(model, proof["conversation"])
        log = []
        if setting.pretrain:
            seed = derive_seed("pretrain", _seed(setting))
            made_from = {"engine": ENGINE, "setting": setting.model_dump()}
            place = Place(folders.pretrain.work, execution.checkpoint_every, made_from)
            log = fit(model, texts, setting.pretrain, seed, place, execution).log
        _finish(model, tokenizer, folders.pretrain, {"canary": proof, "log": log})
        leave_trace(folders.pretrain.record, started)


def sft(setting: Setting, folders: SettingFolder, execution: Execution) -> None:
    """Write `sft/`: the base model fine-tuned on demonstrations or on chosen completions."""
    started = time.perf_counter()
    with hold(folders.sft.folder):
        model, tokenizer = load(folders.pretrain.model, execution.attention)
        fitted = Fitted([], None)
        if setting.sft:
            if execution.gradient_checkpointing:
                model.gradient_checkpointing_enable({"use_reentrant": False})
            texts = list(_demonstrations(setting, folders, tokenizer))
            seed = derive_seed("sft", _seed(setting))
            made_from = {
                "engine": ENGINE,
                "model": model_digest(folders.pretrain),
                "recipe": setting.sft.model_dump(),
            }
            place = Place(folders.sft.work, execution.checkpoint_every, made_from)
            fit = _trainer(setting.sft, tokenizer)
            fitted = fit(model, texts, setting.sft, seed, place, execution)
        if first():
            _finish(model, tokenizer, folders.sft, {"log": fitted.log}, fitted.weights)
            leave_trace(folders.sft.record, started)


def _trainer(recipe: Sft, tokenizer: PreTrainedTokenizerBase) -> Callable[..., Fitted]:
    """The loop that a recipe names. TRL takes seconds to import: only who asks for it waits."""
    if recipe.trainer == "plumbline":
        return fit
    from plumbline.train import trl_sft

    return partial(trl_sft.fit, tokenizer=tokenizer)


def _start(
    setting: Setting, folders: SettingFolder
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[Text]]:
    if not isinstance(setting.model, ScratchModel):
        if setting.pretrain:
            raise ConfigError("pretrain: only for a model made from scratch; remove the key")
        return *load_pretrained(setting.model), []
    documents = [row["text"] for row in read_rows(folders.data("pretrain"))]
    tokenizer = _tokenizer(setting.model, documents)
    room = setting.model.max_positions
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"][:room] for text in documents]
    return scratch_model(setting.model, tokenizer), tokenizer, [(row[:1], row[1:]) for row in ids]


def _tokenizer(choice: ScratchModel, documents: list[str]) -> PreTrainedTokenizerBase:
    if choice.tokenizer == "toyland":
        return word_tokenizer(VOCABULARY)
    if choice.vocabulary is None:
        raise ConfigError("model.vocabulary: byte_bpe needs the number of tokens, e.g. 2048")
    tokenizer = byte_bpe(documents, choice.vocabulary)
    tokenizer.chat_template = choice.chat_template or tokenizer.chat_template
    return tokenizer


def _canary(tokenizer: PreTrainedTokenizerBase, folders: SettingFolder) -> dict[str, Any]:
    """The proof, on the first validation row."""
    row = read_rows(folders.data("validation"))[0]
    return canary(tokenizer, row["prompt"], row["completions"][0])


def _demonstrations(
    setting: Setting, folders: SettingFolder, tokenizer: PreTrainedTokenizerBase
) -> Iterator[Text]:
    """Prompts with the completions to learn; a completion is cut at align.max_tokens in all."""
    for prompt, completion in _prompts_and_completions(setting.sft.data, folders):
        given = prompt_ids(tokenizer, prompt)[-setting.align.max_prompt_tokens :]
        yield given, completion_ids(tokenizer, completion)[: setting.align.max_tokens - len(given)]


def _prompts_and_completions(
    choice: str, folders: SettingFolder
) -> Iterator[tuple[list[Message], str]]:
    if choice == "demonstrations":
        rows = read_rows(folders.data("sft"))
        yield from ((row["prompt"], row["completion"]) for row in rows)
        return
    for row in read_rows(folders.data("train")):
        if row["chosen"] is not None:
            yield row["prompt"], row["completions"][row["chosen"]]


def _seed(setting: Setting) -> int:
    return getattr(setting.model, "seed", setting.data.seed)


def _finish(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: ModelFolder,
    record: dict[str, Any],
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Save the model, then the record that declares it complete."""
    save(model, tokenizer, folder.model, weights)
    record |= {"model": folder_digest(folder.model), "engine": ENGINE}
    write_json(folder.record, record)
    shutil.rmtree(folder.work, ignore_errors=True)


def model_digest(folder: ModelFolder) -> str:
    """The digest of the model that a stage's folder holds."""
    return read_json(folder.record)["model"]
