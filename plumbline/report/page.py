"""The report: one HTML page that holds everything it shows and asks the network for nothing."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from plumbline.aggregate import Grid, Protocol, TableOne
from plumbline.aggregate.uncertainty import Uncertainty
from plumbline.report import protocol, tables, uncertainty
from plumbline.report.templates import render


@dataclass(frozen=True)
class Picture:
    """A figure with its words. name: its file name without ending; svg and png: the files."""

    name: str
    title: str
    caption: str
    svg: str
    png: bytes


@dataclass(frozen=True)
class Answer:
    """What one method said, turn by turn."""

    title: str
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """One prompt as (role, text) messages, what was asked next, and each method's answers."""

    prompt: tuple[tuple[str, str], ...]
    follow_ups: tuple[str, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Section:
    """All that belongs to one setting."""

    title: str
    table: TableOne
    grid: Grid | None = None
    pictures: tuple[Picture, ...] = ()
    samples: tuple[Sample, ...] = ()
    protocol: Protocol | None = None
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True)
class PageContent:
    """The page, as data.

    lead: a sentence or two under the title. stamp: a warning that covers the whole page.
    provenance: (label, text) pairs: data, model, judge, versions, machine. pictures: figures that
    belong to no setting. differences: (what, paper, here, why different). not_run: (what, why).
    """

    title: str
    sections: tuple[Section, ...]
    lead: str = ""
    stamp: str = ""
    provenance: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    differences: tuple[tuple[str, str, str, str], ...] = ()
    not_run: tuple[tuple[str, str], ...] = ()


def page(content: PageContent) -> str:
    """The page as HTML. Every text in `content` is escaped; only our own SVG is taken as markup."""
    return render(
        "page.html.j2",
        content=content,
        table_html=lambda table: Markup(tables.to_html(table)),
        grid_html=lambda grid: Markup(tables.grid_to_html(grid)),
        protocol_html=lambda ways: Markup(protocol.to_html(ways)),
        uncertainty_html=lambda found: Markup(uncertainty.to_html(found)),
    )


def samples(responses: Mapping[str, Sequence[Mapping[str, Any]]], count: int) -> tuple[Sample, ...]:
    """The first `count` prompts, by a hash of their ids, that every method answered.

    responses: method title -> `rows.RESPONSE` dicts.
    """
    by_title = {title: {row["id"]: row for row in rows} for title, rows in responses.items()}
    chosen = drawn(by_title.values(), count)
    return tuple(sample({title: rows[name] for title, rows in by_title.items()}) for name in chosen)


def drawn(names: Iterable[Collection[str]], count: int) -> list[str]:
    """The first `count` names, by a hash of each, that are in every one of the collections."""
    found = [set(each) for each in names]
    shared = set.intersection(*found) if found else set()
    return sorted(shared, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count]


def sample(responses: Mapping[str, Mapping[str, Any]]) -> Sample:
    """One prompt's sample. responses: method title -> its row of `rows.RESPONSE`."""
    first = next(iter(responses.values()))
    return Sample(
        prompt=tuple((message["role"], message["content"]) for message in first["prompt"]),
        follow_ups=tuple(first["follow_ups"] or ()),
        answers=tuple(Answer(title, tuple(row["answers"])) for title, row in responses.items()),
    )
