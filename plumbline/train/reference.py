"""The reference pass: log-probabilities under the SFT model, computed once for all methods.

And, where a method asks for it, a pass over the prompts alone for their embeddings.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from plumbline import ENGINE
from plumbline.artifacts import (
    is_current,
    read_json,
    read_rows,
    read_vectors,
    write_rows,
    write_vectors,
)
from plumbline.batches import EMBEDDED
from plumbline.data import labels, views
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.layout import parts as parts_of
from plumbline.locks import lock
from plumbline.model.logprobs import Policy, mean_hidden, row_length, sequence_logprobs
from plumbline.provenance import leave_trace
from plumbline.rows import REFERENCE
from plumbline.schema import Align, Execution, Setting
from plumbline.train.base import model_digest
from plumbline.train.examples import (
    Example,
    labelled,
    tokenise,
    with_embeddings,
    with_references,
)
from plumbline.train.start import start


def view(setting: Setting, rows: list[dict[str, Any]], feedback: str) -> list[dict[str, Any]]:
    """Feedback rows as the training rows of one feedback, or as pairs without traces."""
    if feedback == "pairs":
        return views.pairs(rows)
    if feedback == "traceless":
        return views.traceless(rows, setting.data.trace_end)
    if feedback == "singles":
        return views.singles(rows, setting.data.seed, setting.data.keep.model_dump())
    return views.lists(rows, setting.align.responses, setting.data.seed)


def examples(
    setting: Setting, folders: SettingFolder, feedback: str, tokenizer: Any
) -> list[Example]:
    """The tokenised training examples of one feedback, without references."""
    rows = training_rows(setting, folders, feedback)
    return tokenise(rows, feedback, tokenizer, setting.align)


def training_rows(setting: Setting, folders: SettingFolder, feedback: str) -> list[dict[str, Any]]:
    """The view of the train split that a method of one feedback learns from."""
    return view(setting, read_rows(folders.data("train")), feedback)


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
    given = examples(setting, folders, feedback, tokenizer)
    made_from = fingerprint(setting, folders, feedback)
    write_in_parts(
        folders.reference(feedback), given, REFERENCE, made_from, partial(_reference_rows, policy)
    )


def _reference_rows(policy: Policy, given: list[Example]) -> list[dict[str, Any]]:
    values = sequence_logprobs(policy, [item.whole for item in given])
    return [
        {"id": item.id, "index": index, "logprob": value, "tokens": len(completion)}
        for item, sums in zip(given, values, strict=True)
        for index, (value, completion) in enumerate(zip(sums, item.whole[1], strict=True))
    ]


def write_in_parts(
    path: Path,
    given: list[Example],
    schema: pa.Schema,
    made_from: dict[str, Any],
    rows_of: Callable[[list[Example]], list[dict[str, Any]]],
) -> None:
    """Write the rows of all examples' completions, in their order, going on from what is there.

    rows_of: the rows of some examples, each with `id` and `index`. Parts lie beside `path` while
    the pass runs.
    """
    started, work = time.perf_counter(), parts_of(path)
    with lock(path):
        if is_current(path, made_from):
            return  # another process held it, and ended well
        parts = [
            _part(
                [given[row] for row in rows], work / f"{number}.parquet", schema, made_from, rows_of
            )
            for number, rows in enumerate(_parts(given))
        ]
        table = [row for part in parts for row in part]
        places = {item.id: place for place, item in enumerate(given)}
        table.sort(key=lambda row: (places[row["id"]], row["index"]))
        write_rows(path, table, schema, made_from)
        leave_trace(path, started)
        shutil.rmtree(work, ignore_errors=True)


#: Examples of one part of a reference pass.
PART = 4096


def _parts(given: list[Example]) -> list[list[int]]:
    """Indices in order of length, a part at a time, so that parts hold rows of like length."""
    order = sorted(range(len(given)), key=lambda row: row_length(given[row].whole))
    return [order[start : start + PART] for start in range(0, len(order), PART)]


def _part(
    given: list[Example],
    path: Path,
    schema: pa.Schema,
    made_from: dict[str, Any],
    rows_of: Callable[[list[Example]], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The rows of some examples, read where an interrupted pass has left them."""
    if not is_current(path, made_from):
        write_rows(path, rows_of(given), schema, made_from)
        print(f"{path.parent.name}: {len(given)} more examples", flush=True)
    return read_rows(path)


def embeddings(
    setting: Setting, folders: SettingFolder, feedback: str, execution: Execution
) -> None:
    """Write `embeddings/{feedback}.parquet` for the train split: of each example's prompt, the
    mean last hidden state of the SFT model over its tokens. Equal prompts are passed once."""
    started = time.perf_counter()
    policy, tokenizer = start(folders.sft, setting, execution)
    policy.eval()
    given = examples(setting, folders, feedback, tokenizer)
    prompts = list(dict.fromkeys(item.prompt for item in given))
    found = dict(zip(prompts, mean_hidden(policy, prompts).numpy(), strict=True))
    vectors = {item.id: found[item.prompt] for item in given}
    path = folders.embeddings(feedback)
    write_vectors(path, vectors, fingerprint(setting, folders, feedback))
    leave_trace(path, started)


def referenced_examples(
    setting: Setting, folders: SettingFolder, feedback: str, tokenizer: Any
) -> list[Example]:
    """Training examples with their references, as the data label them.

    Raises IntegrityError where the reference file was made from another model or other data.
    """
    path = _current(folders.reference(feedback), setting, folders, feedback)
    table = {(row["id"], row["index"]): row["logprob"] for row in read_rows(path)}
    return with_references(examples(setting, folders, feedback, tokenizer), table)


def with_labels(
    given: list[Example],
    setting: Setting,
    folders: SettingFolder,
    feedback: str,
    relabelling: dict[str, Any],
) -> list[Example]:
    """All training examples with other labels. relabelling: see `schema.Variant`."""
    rows = training_rows(setting, folders, feedback)
    rule = {"labels": "given"} | relabelling
    return labelled(given, labels.scores(rows, feedback, seed=setting.data.seed, **rule))


def with_prompts(
    given: list[Example],
    setting: Setting,
    folders: SettingFolder,
    feedback: str,
    needs: Collection[str],
) -> list[Example]:
    """Training examples with what a method needs to know of their prompts, and nothing else.

    Raises IntegrityError where the embeddings were made from another model or other data.
    """
    if not EMBEDDED.isdisjoint(needs):
        path = _current(folders.embeddings(feedback), setting, folders, feedback)
        given = with_embeddings(given, read_vectors(path))
    if "propensity" in needs:
        from plumbline.train.propensity import with_propensities  # its library takes a second

        given = with_propensities(given, setting.data.seed)
    return given


def _current(path: Path, setting: Setting, folders: SettingFolder, feedback: str) -> Path:
    if not is_current(path, fingerprint(setting, folders, feedback)):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    return path
