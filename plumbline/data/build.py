"""The data stage: one parquet file a split, from what a setting's `data` section says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from heapq import nsmallest
from itertools import product
from pathlib import Path
from typing import Any

from plumbline import rows as schemas
from plumbline.artifacts import derive_seed, digest, write_rows
from plumbline.data.records import Message, Row, shown
from plumbline.data.sources import SOURCES
from plumbline.data.views import best_against_random, classes, common_kinds, kinds
from plumbline.errors import DataError
from plumbline.schema import FactsData, FileData, ToylandData, TracesData
from plumbline.splits import normalise, split_of
from plumbline.toyland import facts, traces
from plumbline.toyland import source as toyland

SCHEMAS = {
    "pretrain": schemas.DOCUMENT,
    "sft": schemas.DEMONSTRATION,
    "train": schemas.FEEDBACK,
    "validation": schemas.FEEDBACK,
    "test": schemas.FEEDBACK,
}
HELD_OUT = ("validation", "test")

Tables = dict[str, list[Row]]
#: A dialogue as text in a model's chat format.
Render = Callable[[list[Message]], str]


def build(
    data: ToylandData | FactsData | TracesData | FileData,
    folder: Path,
    render: Render | None = None,
) -> dict[str, Any]:
    """Write `{split}.parquet` for each split into `folder`, and say what was written.

    data: the setting's section. render: where the model is pretrained on this data, how a
    dialogue reads; without it, files of real feedback give no pretrain split.

    Returns {"source", "feedback": the kinds that every training row gives, "labels": how many
    singles of each class they give that `data.keep` keeps, "left_out": rows that compare nothing,
    "splits": {split: {"rows", "digest"}}}. DataError where a source is malformed, a split is empty,
    two rows share an id, or a held-out prompt is trained on.
    """
    if isinstance(data, FileData):
        tables, left_out = file_tables(data, render)
    else:
        tables, left_out = EMBEDDED[data.source](data), 0
    _check_sizes(tables)
    refuse_leaks(tables)
    for split, rows in tables.items():
        write_rows(folder / f"{split}.parquet", rows, SCHEMAS[split])
    return {
        "source": data.source,
        "feedback": common_kinds(tables["train"]),
        "labels": classes(tables["train"], data.seed, data.keep.model_dump()),
        "left_out": left_out,
        "splits": {
            split: {"rows": len(rows), "digest": rows_digest(rows)}
            for split, rows in tables.items()
        },
    }


def toyland_tables(data: ToylandData) -> Tables:
    """The splits of the embedded world."""
    world = toyland.WorldSpec(**data.model_dump(exclude={"source", "keep"}, exclude_none=True))
    feedback = {split: list(toyland.feedback(world, split)) for split in ("train", *HELD_OUT)}
    return {
        "pretrain": list(toyland.pretrain(world)),
        "sft": list(toyland.demonstrations(world)),
        **feedback,
    }


def facts_tables(data: FactsData) -> Tables:
    """The splits of the embedded world's facts, to forget and to retain."""
    spec = facts.FactsSpec(**data.model_dump(exclude={"source", "keep"}))
    feedback = {split: list(facts.feedback(spec, split)) for split in ("train", *HELD_OUT)}
    return {
        "pretrain": list(facts.documents(spec)),
        "sft": list(facts.demonstrations(spec)),
        **feedback,
    }


def traces_tables(data: TracesData) -> Tables:
    """The splits of the embedded world's sums with scratch steps."""
    spec = traces.TracesSpec(**data.model_dump(exclude={"source", "keep"}))
    feedback = {split: list(traces.feedback(spec, split)) for split in ("train", *HELD_OUT)}
    return {
        "pretrain": list(traces.documents(spec)),
        "sft": list(traces.demonstrations(spec)),
        **feedback,
    }


#: Sources that need no files.
EMBEDDED = {
    "toyland": toyland_tables,
    "toyland_facts": facts_tables,
    "toyland_traces": traces_tables,
}


def file_tables(data: FileData, render: Render | None) -> tuple[Tables, int]:
    """The splits of real feedback, and how many of its rows compare nothing and are left out."""
    found = [_with_pair(row, data.seed) for row in SOURCES[data.source](data.path)]
    _check_ids(found)
    usable = [row for row in found if kinds(row)]
    tables = {
        split: sample(rows, data.limit.get(split), data.seed)
        for split, rows in by_split(usable).items()
    }
    tables["sft"] = demonstrations(tables["train"])
    if render is not None:
        tables["pretrain"] = documents(tables["train"], render)
    return tables, len(found) - len(usable)


def _with_pair(row: Row, seed: int) -> Row:
    """A scored row without a pair, given one."""
    if "pairs" in kinds(row) or "lists" not in kinds(row):
        return row
    pair = best_against_random(row["completions"], row["scores"], row["id"], seed)
    return {**row, "chosen": pair[0], "rejected": pair[1]}


def by_split(rows: Iterable[Row]) -> Tables:
    """Rows by the hash of their conversation's opening, so that its later turns stay with it.

    What is not held out is all trained on, as in the recipes for these sets: there is no pretrain
    or sft split of their own.
    """
    tables: Tables = {"train": [], "validation": [], "test": []}
    for row in rows:
        split = split_of(opening(row["prompt"]))
        tables[split if split in HELD_OUT else "train"].append(row)
    return tables


def opening(prompt: list[Message]) -> list[Message]:
    """A conversation up to its first user turn."""
    first = next(index for index, turn in enumerate(prompt) if turn["role"] == "user")
    return prompt[: first + 1]


def sample(rows: list[Row], limit: int | None, seed: int) -> list[Row]:
    """At most `limit` rows, drawn by the hash of their ids, in the order they came in."""
    if limit is None:
        return rows
    ids = (row["id"] for row in rows)
    kept = set(nsmallest(limit, ids, key=lambda id: derive_seed("limit", seed, id)))
    return [row for row in rows if row["id"] in kept]


def demonstrations(rows: Iterable[Row]) -> list[Row]:
    """The chosen completions of feedback rows, to fine-tune on."""
    return [
        {
            "id": row["id"],
            "prompt": row["prompt"],
            "completion": row["completions"][row["chosen"]],
        }
        for row in rows
        if row["chosen"] is not None
    ]


def documents(rows: Iterable[Row], render: Render) -> list[Row]:
    """Every completion of feedback rows, good or bad, as a dialogue to pretrain on."""
    return [
        {
            "id": f"{row['id']}/{index}",
            "text": render([*row["prompt"], {"role": "assistant", "content": completion}]),
        }
        for row in rows
        for index, completion in enumerate(row["completions"])
    ]


def rows_digest(rows: Sequence[Row]) -> str:
    """sha256 of rows in their order, the same before they are written and after they are read."""
    return digest(list(rows))


def overlap(rows: Iterable[Row], others: Iterable[Row]) -> set[str]:
    """The normalised prompts that occur in both."""
    first, second = ({normalise(row["prompt"]) for row in side} for side in (rows, others))
    return first & second


def _check_ids(rows: Iterable[Row]) -> None:
    repeated = [id for id, count in Counter(row["id"] for row in rows).items() if count > 1]
    if repeated:
        raise DataError(
            f"{len(repeated)} ids are not unique, {shown(repeated[0])} first; "
            "give each row an id of its own, or none"
        )


def _check_sizes(tables: Tables) -> None:
    empty = [split for split, rows in tables.items() if not rows]
    if empty:
        raise DataError(
            f"no rows in {', '.join(empty)}; give more data (a prompt's hash draws its split: "
            "5 % of prompts are validation, 15 % test), with chosen completions for sft"
        )


def refuse_leaks(tables: Tables) -> None:
    """DataError where a prompt of validation or test is trained on, or in both."""
    for trained, held_out in [*product(("sft", "train"), HELD_OUT), HELD_OUT]:
        leaked = overlap(tables[trained], tables[held_out])
        if leaked:
            raise DataError(
                f"{len(leaked)} prompts of split {held_out!r} are in {trained!r} too, "
                f"{shown(min(leaked))} among them; a prompt belongs to one split"
            )
