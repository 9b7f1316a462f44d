"""What some methods need to know of each completion token: a pass and a file for each such need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from plumbline.artifacts import is_current, read_rows
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.model.logprobs import Policy, token_logprobs
from plumbline.model.sequences import Group
from plumbline.plugins import MethodSpec
from plumbline.rows import ANNOTATION
from plumbline.schema import Execution, Setting
from plumbline.train.examples import Example, annotated, samples
from plumbline.train.reference import examples, fingerprint, write_in_parts
from plumbline.train.start import start

#: Numbers of each token of each completion of each group.
Numbers = list[list[list[float]]]
#: The needs that a pass writes, each with what it makes of the SFT model and some groups.
PASSES: dict[str, Callable[[Policy, list[Group]], Numbers]] = {"token_reference": token_logprobs}


def annotate(
    setting: Setting, folders: SettingFolder, feedback: str, need: str, execution: Execution
) -> None:
    """Write one need of the train split, going on from what is there."""
    policy, tokenizer = start(folders.sft, setting, execution)
    policy.eval()
    write_in_parts(
        folders.annotation(feedback, need),
        examples(setting, folders, feedback, tokenizer),
        ANNOTATION,
        fingerprint(setting, folders, feedback) | {"need": need},
        partial(_rows, partial(PASSES[need], policy)),
    )


def _rows(numbers: Callable[[list[Group]], Numbers], given: list[Example]) -> list[dict[str, Any]]:
    return [
        {"id": item.id, "index": index, "values": values}
        for item, several in zip(given, numbers([item.group for item in given]), strict=True)
        for index, values in enumerate(several)
    ]


def with_needs(
    given: list[Example], setting: Setting, folders: SettingFolder, spec: MethodSpec
) -> list[Example]:
    """Examples with what their method needs to know of each token, and nothing else.

    Raises IntegrityError where an annotation was made from another model or other data.
    """
    if "token_sample" in spec.card.needs:
        given = annotated(given, "token_sample", samples(given, setting.data.seed))
    for need in spec.annotated:
        given = annotated(given, need, _read(setting, folders, spec.feedback, need))
    return given


def _read(
    setting: Setting, folders: SettingFolder, feedback: str, need: str
) -> dict[tuple[str, int], list[float]]:
    path = folders.annotation(feedback, need)
    if not is_current(path, fingerprint(setting, folders, feedback) | {"need": need}):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    return {(row["id"], row["index"]): row["values"] for row in read_rows(path)}
