"""What some methods need to know of the training rows: a pass and a file for each such need.

Of most needs these are numbers of each completion token; of one, completions of the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from plumbline.artifacts import is_current, read_rows
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.model.activity import token_activity
from plumbline.model.folder import load_tokenizer
from plumbline.model.importance import token_importance
from plumbline.model.logprobs import Policy, token_logprobs
from plumbline.model.sequences import Group
from plumbline.plugins import MethodSpec
from plumbline.rows import ANNOTATION, SAMPLE
from plumbline.schema import Execution, Setting
from plumbline.train.base import model_digest
from plumbline.train.examples import Example, annotated, samples, with_samples
from plumbline.train.reference import examples, fingerprint, write_in_parts
from plumbline.train.samples import by_place, drawn, room
from plumbline.train.start import start

#: Numbers of each token of each completion of each group.
Numbers = list[list[list[float]]]


def _contrast(policies: list[Policy], groups: list[Group]) -> Numbers:
    """log p(token) of the first of two policies minus that of the second."""
    both = zip(*(token_logprobs(policy, groups) for policy in policies), strict=True)
    return [
        [
            [one - other for one, other in zip(*values, strict=True)]
            for values in zip(*several, strict=True)
        ]
        for several in both
    ]


#: The needs of tokens that a pass writes, each with what it makes of its models and some groups:
#: the reference, or the auxiliary models of the need.
PASSES: dict[str, Callable[[list[Policy], list[Group]], Numbers]] = {
    "token_reference": lambda policies, groups: token_logprobs(policies[0], groups),
    "token_contrast": _contrast,
    "token_activity": lambda policies, groups: token_activity(policies[0], groups),
    "token_importance": lambda policies, groups: token_importance(policies[0], groups),
}


def annotate(
    setting: Setting, folders: SettingFolder, feedback: str, need: str, execution: Execution
) -> None:
    """Write one need of the train split, going on from what is there.

    Raises IntegrityError where an auxiliary model has diverged.
    """
    models = folders.auxiliaries(need)
    for model in models:
        if model_digest(model) is None:
            raise IntegrityError(
                f"{model.record}: the auxiliary model that {need} asks has diverged; lower "
                "align.learning_rate, or leave out the methods that need it"
            )
    policies = [
        start(model, setting, execution)[0].eval().requires_grad_(False)
        for model in models or [folders.sft]
    ]
    tokenizer = load_tokenizer(folders.sft.model)
    given = examples(setting, folders, feedback, tokenizer)
    if need in PASSES:
        schema, rows_of = ANNOTATION, partial(_rows, partial(PASSES[need], policies))
    else:
        most, end = room(given, setting.align), tokenizer.eos_token_id
        noise = setting.data.seed, execution.answers_per_batch
        schema, rows_of = SAMPLE, partial(drawn, policies[0], most, end, *noise)
    write_in_parts(
        folders.annotation(feedback, need),
        given,
        schema,
        made_from(setting, folders, feedback, need),
        rows_of,
    )


def made_from(setting: Setting, folders: SettingFolder, feedback: str, need: str) -> dict[str, Any]:
    """What an annotation was made from: data, truncation, the reference, and auxiliary models."""
    models = [model_digest(model) for model in folders.auxiliaries(need)]
    # Samples written without numbers of their tokens are of no use.
    columns = {} if need in PASSES else {"columns": SAMPLE.names}
    return fingerprint(setting, folders, feedback) | {"need": need, "models": models, **columns}


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
    for need in (need for need in spec.annotated if need in PASSES):
        rows = _read(setting, folders, spec.feedback, need)
        values = {(row["id"], row["index"]): row["values"] for row in rows}
        given = annotated(given, need, values)
    return given


def with_reference_samples(
    given: list[Example], setting: Setting, folders: SettingFolder, count: int
) -> list[Example]:
    """Pairs with the first `count` samples of the reference behind them.

    Raises IntegrityError where these were drawn from another model or for other data.
    """
    rows = _read(setting, folders, "pairs", "reference_samples")
    return with_samples(given, by_place(rows), count)


def _read(
    setting: Setting, folders: SettingFolder, feedback: str, need: str
) -> list[dict[str, Any]]:
    path = folders.annotation(feedback, need)
    if not is_current(path, made_from(setting, folders, feedback, need)):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    return read_rows(path)
