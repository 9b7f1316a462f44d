"""Answers as text: how a correct one reads, and how one obeys a constraint.

Writers and the judge share this file, so that "as short as a correct answer can be" has one
meaning.
"""

from dataclasses import dataclass, replace

from plumbline.toyland.lexicon import (
    CATEGORY_OF,
    COLOR_OF,
    FILLERS,
    MEMBERS,
    NUMBERS,
    OPPOSITES,
    REFUSAL,
    SINGULARS,
)
from plumbline.toyland.world import Task

FEW_WORDS_SLACK = 1
EXACT_WORDS = {"in ten words": 10, "in twelve words": 12}


@dataclass(frozen=True)
class Draft:
    """An answer before it is joined: an opener, the core, closing sentences, framing words.

    ``limit`` cuts the answer after so many words; the longest opener and core fit into ten.
    """

    core: str
    opener: str = ""
    fillers: tuple[str, ...] = ()
    end: str = "."
    last: str = ""
    quoted: bool = False
    limit: int | None = None

    def text(self) -> str:
        """The answer as words separated by single spaces."""
        words = " ".join([self.opener, self.core, self.end, *self.fillers, self.last]).split()
        words = words[: self.limit]
        return " ".join(['"', *words, '"'] if self.quoted else words)


def obey(draft: Draft, constraint: str | None) -> Draft:
    """The draft, changed as little as the constraint asks."""
    match constraint:
        case "in few words":
            return replace(draft, opener="", fillers=())
        case "end with thanks":
            return replace(draft, last="thanks")
        case "in ten words" | "in twelve words":
            fillers = (*draft.fillers, *FILLERS)
            return replace(draft, fillers=fillers, limit=EXACT_WORDS[constraint])
        case "without dot":
            return replace(draft, fillers=(), end="")
        case "in quotes":
            return replace(draft, quoted=True)
    return draft


def add_up(task: Task) -> str:
    """The number word that an ``add`` task asks for."""
    return NUMBERS[sum(NUMBERS.index(word) for word in task.subject)]


def members(task: Task) -> list[str]:
    """The nouns that a ``list`` task may name, the most popular first."""
    _, color, plural = task.subject
    return MEMBERS[SINGULARS[plural], color]


def correct_core(task: Task) -> str:
    """The plain correct answer to ``task``, without its full stop."""
    first = task.subject[0]
    match task.kind:
        case "list":
            return " , ".join(members(task)[: NUMBERS.index(first)])
        case "color":
            return f"{first} is {COLOR_OF[first]}"
        case "kind":
            return f"{first} is a {CATEGORY_OF[first]}"
        case "add":
            return f"{' and '.join(task.subject)} is {add_up(task)}"
        case "opposite":
            return OPPOSITES[first]
        case "say":
            return " ".join([first] * NUMBERS.index(task.subject[1]))
        case "reverse":
            return " ".join(reversed(task.subject))
        case "insult":
            return REFUSAL
    raise ValueError(f"no such kind of task: {task.kind!r}")


def solution(task: Task) -> str:
    """The shortest correct answer that obeys the task's constraint, as text."""
    return obey(Draft(correct_core(task)), task.constraint).text()
