"""The table of cases that stage aggregate writes: answers, and judgments from the ledger."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from plumbline import layout
from plumbline.artifacts import read_rows
from plumbline.cli import tables
from plumbline.config import Experiment
from plumbline.judge.ledger import Ledger
from plumbline.layout import Evaluation, SettingFolder
from plumbline.report.cases import case_files, cases
from plumbline.schema import Cases

Row = dict[str, Any]


def files(experiment: Experiment, folders: SettingFolder) -> dict[str, str]:
    """File name -> text of a setting's table of cases; nothing where the report wants none.

    Methods answer at their selected points with the first seed.
    """
    choice = experiment.report.cases
    if choice is None:
        return {}
    titles, first = tables.titles(experiment), experiment.seeds[0]
    found = {
        target.method: target.evaluation
        for target in tables.selected_targets(experiment, folders)
        if target.seed == first
    }
    where = {titles[method]: found[method] for method in choice.methods}
    responses = {
        title: read_rows(item.responses(choice.benchmark)) for title, item in where.items()
    }
    judgments = {title: judged(item, choice) for title, item in where.items()}
    return case_files(cases(responses, judgments, preferred(folders), choice.count))


def preferred(folders: SettingFolder) -> dict[str, str]:
    """Of each test prompt's id the response that the data prefer."""
    rows = [row for row in read_rows(folders.data("test")) if row["chosen"] is not None]
    return {row["id"]: row["completions"][row["chosen"]] for row in rows}


def judged(evaluation: Evaluation, choice: Cases) -> dict[str, str]:
    """Of each response's id the value that it has, and the judge's words."""
    items = [
        row
        for row in read_rows(evaluation.items(choice.benchmark))
        if row["metric"] == choice.metric
    ]
    words = recorded([key for row in items for key in keys(row)])
    return {
        row["response"]: " ".join([value_words(row), *(words.get(key, "") for key in keys(row))])
        for row in items
    }


def keys(item: Row) -> list[str]:
    """The judgments that an item was read from."""
    return (item["judgment"] or "").split()


def value_words(item: Row) -> str:
    """An item's value as text."""
    value = item["reason"] if item["value"] is None else f"{item['value']:g}"
    return f"{item['metric']}: {value}."


def recorded(wanted: list[str]) -> dict[str, str]:
    """What the judge wrote, by key, of those judgments that the ledger has."""
    if not wanted:
        return {}
    with closing(Ledger(layout.ledger())) as ledger:
        answers = {key: ledger.find(key) for key in wanted}
    return {
        key: body["choices"][0]["message"]["content"] or "" for key, body in answers.items() if body
    }
