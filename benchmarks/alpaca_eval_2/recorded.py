"""Recorded judgments in alpaca_eval's own files: outputs, reference outputs and annotations.

An annotation belongs to the output at its place: its `index`, or its position in the file. It holds
the texts that were judged, or their lengths only, and both are held against the outputs.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumbline.data.records import Value, shown
from plumbline.errors import DataError

Row = dict[str, Any]
#: How many items a reason names.
NAMED = 5
#: No index and no length is larger.
MANY = 10**9


@dataclass(frozen=True)
class Recorded:
    """A model's outputs with the judgments of them.

    rows: one for each output: `id`, `instruction`, `output_1` (the reference's, None where it has
    none), `output_2`, `generator_1`, `generator_2`, `preference` in [1, 2] (None without one sound
    judgment), and `matches`, whether that judgment is of these two outputs. instructions: of the
    reference. problems: what is wrong, in sentences.
    """

    model: str
    baseline: str
    annotators: list[str]
    instructions: list[str]
    rows: list[Row]
    problems: list[str]


def items(path: str | Path) -> list[Value]:
    """The objects of a JSON list, plain or gzipped; DataError where the file is not whole."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no file {path}; give a JSON list in AlpacaEval's form, plain or .gz")
    open_ = gzip.open if path.suffix == ".gz" else open
    try:
        with open_(path, "rt", encoding="utf-8") as file:
            rows = Value(str(path), "", json.load(file)).items()
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a whole JSON file in UTF-8 ({error})") from error
    if not rows:
        raise DataError(f"{path} is empty; expected a list of objects")
    return [Value(f"{path}, item {place}", "", row.value) for place, row in enumerate(rows)]


def outputs(path: str | Path) -> list[Row]:
    """`instruction`, `output` and `generator` of a model's outputs; all have one generator."""
    found = items(path)
    names = ("instruction", "output", "generator")
    rows = [{name: item[name].text() for name in names} for item in found]
    for item, row in zip(found, rows, strict=True):
        if row["generator"] != rows[0]["generator"]:
            raise item["generator"].wrong(f"{shown(rows[0]['generator'])}, as in item 0")
    return rows


def read(answers: str | Path, reference: str | Path, annotations: str | Path) -> Recorded:
    """Join the three files; DataError where one of them cannot be read."""
    ours, theirs = outputs(answers), outputs(reference)
    pair = (theirs[0]["generator"], ours[0]["generator"])
    judgments = [_judgment(place, item) for place, item in enumerate(items(annotations))]
    at: dict[int, list[Row]] = {}
    for judgment in judgments:
        if judgment["generators"] == pair:
            at.setdefault(judgment["place"], []).append(judgment)
    known = {row["instruction"]: row["output"] for row in theirs}
    rows = [
        {
            "id": f"alpaca-{place}",
            "instruction": row["instruction"],
            "output_1": known.get(row["instruction"]),
            "output_2": row["output"],
            "generator_1": pair[0],
            "generator_2": pair[1],
            **_verdict(at.get(place, []), row, known.get(row["instruction"])),
        }
        for place, row in enumerate(ours)
    ]
    strange = [row["place"] for row in judgments if row["generators"] != pair]
    silent = known.keys() - {row["instruction"] for row in ours}
    return Recorded(
        *reversed(pair),
        sorted({row["annotator"] for row in judgments}),
        [row["instruction"] for row in theirs],
        rows,
        [
            *([f"{len(silent)} of {len(known)} instructions have no output"] if silent else []),
            *_listed(f"not of generators {pair[0]!r} and {pair[1]!r}", strange),
            *_problems(at, rows),
        ],
    )


def _problems(at: dict[int, list[Row]], rows: Sequence[Row]) -> Iterator[str]:
    """What is wrong with the judgments at each place."""
    single = {place: found[0] for place, found in at.items() if len(found) == 1}
    yield from _listed("of no output", [place for place in at if place >= len(rows)])
    yield from _listed("missing", [place for place in range(len(rows)) if place not in at])
    yield from _listed("more than one for the same output", at.keys() - single.keys())
    silent = [place for place, row in single.items() if row["preference"] is None]
    yield from _listed("without a verdict", silent)
    others = [place for place in single if place < len(rows) and not rows[place]["matches"]]
    yield from _listed("of other outputs than these, by their texts or lengths", others)


def _judgment(position: int, item: Value) -> Row:
    """An annotation in either form; `about` is what it says of the texts that were judged."""
    whole = "output_1" in item
    names = ("instruction", "output_1", "output_2")
    place = int(item["index"].number(0, MANY)) if "index" in item else position
    return {
        "place": place,
        "generators": (item["generator_1"].text(), item["generator_2"].text()),
        "annotator": item["annotator"].text(),
        "preference": _preference(item["preference"]),
        "about": tuple(item[name].text() for name in names)
        if whole
        else tuple(int(item[name].number(0, MANY)) for name in ("len_1", "len_2")),
    }


def _preference(value: Value) -> float | None:
    """In [1, 2]; AlpacaEval writes a draw as 0 or 1.5, and a missing verdict as null or NaN."""
    if value.value is None or value.value != value.value:
        return None
    number = value.number(0, 2)
    if 0 < number < 1:
        raise value.wrong("a number from 1 to 2, or 0 for a draw")
    return number or 1.5


def _verdict(judgments: Sequence[Row], answer: Row, reference: str | None) -> Row:
    """The preference of an output's one judgment, and whether it is of these texts."""
    if len(judgments) != 1:
        return {"preference": None, "matches": False}
    [judgment] = judgments
    return {
        "preference": judgment["preference"],
        "matches": reference is not None
        and judgment["about"]
        in (
            (answer["instruction"], reference, answer["output"]),
            (len(reference), len(answer["output"])),
        ),
    }


def _listed(what: str, places: Collection[int]) -> Iterator[str]:
    """A sentence about the judgments of these items, if there are any."""
    if places:
        shown = ", ".join(map(str, sorted(places)[:NAMED]))
        more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
        yield f"judgments {what}: item {shown}{more}"


def complete(row: Row, expected: int, problems: Sequence[str]) -> Row:
    """A result row with `n_expected`, status, and the reason where it is not ok."""
    is_whole = row["n"] == expected and row["value"] is not None
    reason = None if is_whole else row.get("reason") or "; ".join(problems)
    status = "ok" if is_whole else row.get("status", "incomplete")
    order = dict.fromkeys(("metric", "value", "se", "n"))
    return order | row | {"n_expected": expected, "status": status, "reason": reason}
