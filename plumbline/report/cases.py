"""A table of cases: a prompt, what the data prefer, and of each method an answer and its judgment.

All texts may be a model's: they are escaped in every format.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.report.page import drawn
from plumbline.report.templates import render

#: What Markdown could take for markup, in a cell of a pipe table.
MARKUP = re.compile(r"([\\`*_~\[\]<>|&!$])")


@dataclass(frozen=True)
class Judged:
    """A method's answer and what was judged of it."""

    title: str
    answer: str
    judgment: str


@dataclass(frozen=True)
class Case:
    """One prompt as text, the response that the data prefer, and what methods said."""

    prompt: str
    preferred: str
    answers: tuple[Judged, ...]


def cases(
    responses: Mapping[str, Sequence[Mapping[str, Any]]],
    judgments: Mapping[str, Mapping[str, str]],
    preferred: Mapping[str, str],
    count: int,
) -> list[Case]:
    """The first `count` prompts, by a hash of their ids, that every method answered.

    responses: method title -> `rows.RESPONSE` dicts, of which first turns are shown. judgments:
    method title -> id of a response -> words. preferred: id of a response -> what the data prefer.
    """
    answered = {
        title: {row["id"]: row for row in rows if row["answers"]}
        for title, rows in responses.items()
    }
    return [
        Case(
            prompt=dialogue(next(iter(answered.values()))[name]["prompt"]),
            preferred=preferred[name],
            answers=tuple(
                Judged(title, rows[name]["answers"][0], judgments[title].get(name, ""))
                for title, rows in answered.items()
            ),
        )
        for name in drawn([preferred, *answered.values()], count)
    ]


def dialogue(prompt: Iterable[Mapping[str, str]]) -> str:
    """Messages as text, a paragraph each."""
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in prompt)


def case_files(found: Sequence[Case]) -> dict[str, str]:
    """File name -> text."""
    html = render("cases.html.j2", titles=titles(found), cases=found)
    return {"cases.md": to_markdown(found), "cases.html": html}


def titles(found: Sequence[Case]) -> list[str]:
    """The methods of a table of cases."""
    return [answer.title for answer in found[0].answers] if found else []


def to_markdown(found: Sequence[Case]) -> str:
    """A pipe table in which no text is markup."""
    header = ["Prompt", "Preferred"]
    named = map(inert, titles(found))
    header += [text for title in named for text in (title, f"{title}: judgment")]
    lines = [
        [
            *(inert(case.prompt), inert(case.preferred)),
            *(inert(text) for said in case.answers for text in (said.answer, said.judgment)),
        ]
        for case in found
    ]
    rows = [header, [":--"] * len(header), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def inert(text: str) -> str:
    """A text on one line of Markdown, of which nothing is a link, an image, HTML or a new cell."""
    return re.sub(r"\s+", " ", MARKUP.sub(r"\\\1", text)).strip()
