"""The reference pass: log-probabilities under the SFT model, computed once for all methods.

And, where a method asks for it, a pass over the prompts alone for their embeddings.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from plumbline import ENGINE
from plumbline.artifacts import (
    is_current,
    lock,
    read_json,
    read_rows,
    read_vectors,
    write_rows,
    write_vectors,
)
from plumbline.batches import EMBEDDED
from plumbline.data import views
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.model.logprobs import Policy, mean_hidden, row_length, sequence_logprobs
from plumbline.rows import REFERENCE
from plumbline.schema import Align, Execution, Setting
from plumbline.train.base import model_digest
from plumbline.train.examples import (
    Example,
    tokenise,
    with_embeddings,
    with_references,
    with_traceless,
)
from plumbline.train.start import start


def view(setting: Setting, rows: list[dict[str, Any]], feedback: str) -> list[dict[str, Any]]:
    """Feedback rows as the training rows of one feedback, or as pairs without traces."""
    if feedback == "pairs":
        return views.pairs(rows)
    if feedback == "traceless":
        return views.traceless(rows, setting.data.trace_end)
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
        "precision": recipe.precision,
        "quantize": recipe.adapter.quantize if recipe.adapter else "none",
        "truncation": [recipe.max_prompt_tokens, recipe.max_tokens, recipe.responses],
    }


def reference(
    setting: Setting, folders: SettingFolder, feedback: str, execution: Execution
) -> None:
    """Write `reference/{feedback}.parquet` for the train split, going on from what is there.

    Parts are kept while the pass runs, so that one that is interrupted loses a part at the most.
    """
    policy, tokenizer = start(folders.sft, setting, execution)
    policy.eval()
    made_from = fingerprint(setting, folders, feedback)
    given = examples(setting, folders, feedback, tokenizer)
    work = folders.reference_parts(feedback)
    with lock(work):
        parts = [
            _part(policy, given, rows, work / f"{number}.parquet", made_from)
            for number, rows in enumerate(_parts(given))
        ]
        table = {(row["id"], row["index"]): row for part in parts for row in part}
        ordered = [table[item.id, index] for item in given for index in range(len(item.whole[1]))]
        write_rows(folders.reference(feedback), ordered, REFERENCE, made_from)
    shutil.rmtree(work)


#: Examples of one part of a reference pass.
PART = 4096


def _parts(given: list[Example]) -> list[list[int]]:
    """Indices in order of length, a part at a time, so that parts hold rows of like length."""
    order = sorted(range(len(given)), key=lambda row: row_length(given[row].whole))
    return [order[start : start + PART] for start in range(0, len(order), PART)]


def _part(
    policy: Policy, given: list[Example], rows: list[int], path: Path, made_from: dict[str, Any]
) -> list[dict[str, Any]]:
    """REFERENCE rows of some examples, read where an interrupted pass has left them."""
    if not is_current(path, made_from):
        values = sequence_logprobs(policy, [given[row].whole for row in rows])
        found = [
            {"id": given[row].id, "index": index, "logprob": value, "tokens": len(completion)}
            for row, sums in zip(rows, values, strict=True)
            for index, (value, completion) in enumerate(zip(sums, given[row].whole[1], strict=True))
        ]
        write_rows(path, found, REFERENCE, made_from)
        print(f"{path.parent.name}: {len(rows)} more of {len(given)}", flush=True)
    return read_rows(path)


def embeddings(
    setting: Setting, folders: SettingFolder, feedback: str, execution: Execution
) -> None:
    """Write `embeddings/{feedback}.parquet` for the train split: of each example's prompt, the
    mean last hidden state of the SFT model over its tokens. Equal prompts are passed once."""
    policy, tokenizer = start(folders.sft, setting, execution)
    policy.eval()
    given = examples(setting, folders, feedback, tokenizer)
    prompts = list(dict.fromkeys(item.prompt for item in given))
    found = dict(zip(prompts, mean_hidden(policy, prompts).numpy(), strict=True))
    vectors = {item.id: found[item.prompt] for item in given}
    path = folders.embeddings(feedback)
    write_vectors(path, vectors, fingerprint(setting, folders, feedback))


def referenced_examples(
    setting: Setting,
    folders: SettingFolder,
    feedback: str,
    tokenizer: Any,
    needs: Collection[str] = (),
) -> list[Example]:
    """Training examples with their references, and with what else the reference gives of `needs`.

    Raises IntegrityError where the reference file was made from another model or other data.
    """
    found = _referenced(setting, folders, feedback, tokenizer)
    if "traceless" in needs:
        found = with_traceless(found, _referenced(setting, folders, "traceless", tokenizer))
    if not EMBEDDED.isdisjoint(needs):
        path = _current(folders.embeddings(feedback), setting, folders, feedback)
        found = with_embeddings(found, read_vectors(path))
    if "propensity" in needs:
        from plumbline.train.propensity import with_propensities  # its library takes a second

        found = with_propensities(found, setting.data.seed)
    return found


def _referenced(
    setting: Setting, folders: SettingFolder, feedback: str, tokenizer: Any
) -> list[Example]:
    path = _current(folders.reference(feedback), setting, folders, feedback)
    table = {(row["id"], row["index"]): row["logprob"] for row in read_rows(path)}
    return with_references(examples(setting, folders, feedback, tokenizer), table)


def _current(path: Path, setting: Setting, folders: SettingFolder, feedback: str) -> Path:
    if not is_current(path, fingerprint(setting, folders, feedback)):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    return path
