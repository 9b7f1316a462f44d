"""The reference pass: log-probabilities under the SFT model, computed once for all methods."""

from __future__ import annotations

from typing import Any

from plumbline import ENGINE
from plumbline.artifacts import is_current, read_json, read_rows, write_rows
from plumbline.data import views
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.model.logprobs import sequence_logprobs
from plumbline.rows import REFERENCE
from plumbline.schema import Align, Setting
from plumbline.train.base import model_digest
from plumbline.train.examples import Example, rows_of, tokenise, with_references


def view(setting: Setting, rows: list[dict[str, Any]], feedback: str) -> list[dict[str, Any]]:
    """Feedback rows as the training rows of one feedback."""
    if feedback == "pairs":
        return views.pairs(rows)
    if feedback == "singles":
        return views.singles(rows, setting.data.seed)
    return views.lists(rows, setting.align.responses, setting.data.seed)


def examples(
    setting: Setting, folders: SettingFolder, feedback: str, tokenizer: Any
) -> list[Example]:
    """The tokenised training examples of one feedback, without references."""
    rows = read_rows(folders.data("train"))
    return tokenise(view(setting, rows, feedback), feedback, tokenizer, setting.align)


def fingerprint(setting: Setting, folders: SettingFolder, feedback: str) -> dict[str, Any]:
    """What a reference file was made from: model, data, view and truncation."""
    recipe: Align = setting.align
    return {
        "engine": ENGINE,
        "feedback": feedback,
        "model": model_digest(folders.sft),
        "data": read_json(folders.data_record)["splits"]["train"]["digest"],
        "seed": setting.data.seed,
        "truncation": [recipe.max_prompt_tokens, recipe.max_tokens, recipe.responses],
    }


def reference(setting: Setting, folders: SettingFolder, feedback: str) -> None:
    """Write `reference/{feedback}.parquet` for the train split."""
    from plumbline.model.folder import load

    model, tokenizer = load(folders.sft.model)
    model.eval()
    keys, prompts, completions = [], [], []
    for example in examples(setting, folders, feedback, tokenizer):
        for index, (prompt, completion) in enumerate(rows_of(example)):
            keys.append((example.id, index))
            prompts.append(prompt)
            completions.append(completion)
    values = sequence_logprobs(model, prompts, completions)
    rows = [
        {"id": id, "index": index, "logprob": value, "tokens": len(completion)}
        for (id, index), value, completion in zip(keys, values, completions, strict=True)
    ]
    path = folders.reference(feedback)
    write_rows(path, rows, REFERENCE, fingerprint(setting, folders, feedback))


def referenced_examples(
    setting: Setting, folders: SettingFolder, feedback: str, tokenizer: Any
) -> list[Example]:
    """Training examples with their references.

    Raises IntegrityError where the reference file was made from another model or other data.
    """
    path = folders.reference(feedback)
    if not is_current(path, fingerprint(setting, folders, feedback)):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    table = {(row["id"], row["index"]): row["logprob"] for row in read_rows(path)}
    return with_references(examples(setting, folders, feedback, tokenizer), table)
