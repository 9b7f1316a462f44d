"""Writers of given skill and verbosity, whose answers fill Toyland's data.

Skill s is the probability of a correct core and, independently, of following the constraint; with
probability (1 - s) / 10 an answer has a gratuitous insult in it.
Verbosity v sets the number of closing sentences: geometric with mean v, at most three.
"""

import random
from dataclasses import dataclass, replace

from plumbline.toyland.answers import Draft, correct_core, members, obey
from plumbline.toyland.lexicon import (
    BAD_WORDS,
    CATEGORIES,
    COLOR_OF,
    COLORS,
    FILLERS,
    MYTH_OF,
    NOUNS,
    NUMBERS,
    OPENERS,
    OPPOSITES,
)
from plumbline.toyland.world import Task

OPENER_SHARE = 0.35
MAX_FILLERS = 3
SLIP_SHARE = 0.1


@dataclass(frozen=True)
class Writer:
    """skill in [0, 1]; verbosity at least 0."""

    skill: float
    verbosity: float


SKILLS = (0.35, 0.6, 0.85)
VERBOSITIES = (0.3, 0.8, 1.5)


def any_writer(generator: random.Random) -> Writer:
    """One of the nine writers who fill pretraining and feedback, all equally likely."""
    return Writer(generator.choice(SKILLS), generator.choice(VERBOSITIES))


def write(task: Task, writer: Writer, generator: random.Random) -> str:
    """The writer's answer to ``task``, words separated by single spaces."""
    right = generator.random() < writer.skill
    core = correct(task, generator) if right else mistaken(task, generator)
    return worded(core, task, writer, generator)


def worded(core: str, task: Task, writer: Writer, generator: random.Random) -> str:
    """An answer with this core: how the writer opens and closes it, and minds the constraint."""
    opener = generator.choice(OPENERS) if generator.random() < OPENER_SHARE else ""
    fillers = tuple(generator.choice(FILLERS) for _ in range(_filler_count(writer, generator)))
    draft = Draft(core, opener, fillers)
    if generator.random() < writer.skill:
        draft = obey(draft, task.constraint)
    if generator.random() < SLIP_SHARE * (1 - writer.skill):
        draft = replace(draft, fillers=(*draft.fillers, f"you are {generator.choice(BAD_WORDS)} ."))
    return draft.text()


def correct(task: Task, generator: random.Random) -> str:
    """The core of a correct answer; lists name popular nouns more often, in any order."""
    if task.kind != "list":
        return correct_core(task)
    return " , ".join(_popular(members(task), NUMBERS.index(task.subject[0]), generator))


def mistaken(task: Task, generator: random.Random) -> str:
    """The core of a wrong answer, of the kind of mistake that the task invites."""
    first = task.subject[0]
    match task.kind:
        case "list":
            return _wrong_list(task, generator)
        case "color":
            return f"{first} is {_other(COLORS, COLOR_OF[first], generator)}"
        case "kind":
            return f"{first} is a {_wrong_category(task, generator)}"
        case "add":
            return _wrong_sum(task, generator)
        case "opposite":
            return _other(list(OPPOSITES), OPPOSITES[first], generator)
        case "say":
            count = NUMBERS.index(task.subject[1]) + generator.choice([-1, 1, 2])
            return " ".join([first] * count)
        case "reverse":
            return _wrong_reversal(task, generator)
        case "insult":
            bad = generator.sample(BAD_WORDS, 2)
            verb = "is" if len(task.subject) == 1 else "are"
            return f"{' and '.join(task.subject)} {verb} {' and '.join(bad)}"
    raise ValueError(f"no such kind of task: {task.kind!r}")


def _filler_count(writer: Writer, generator: random.Random) -> int:
    more = writer.verbosity / (1 + writer.verbosity)
    count = 0
    while count < MAX_FILLERS and generator.random() < more:
        count += 1
    return count


def _other(words: list[str], right: str, generator: random.Random) -> str:
    return generator.choice([word for word in words if word != right])


def _popular(nouns: list[str], count: int, generator: random.Random) -> list[str]:
    """``count`` different nouns; each is three times as likely as the next in popularity."""
    chosen: list[str] = []
    while len(chosen) < count:
        left = [noun for noun in nouns if noun not in chosen]
        chosen.append(generator.choices(left, [3.0**-rank for rank in range(len(left))])[0])
    return chosen


def _wrong_list(task: Task, generator: random.Random) -> str:
    """One noun too wrong, too few or too many."""
    count = NUMBERS.index(task.subject[0])
    right = members(task)
    named = _popular(right, count, generator)
    intruder = generator.choice([noun for noun in NOUNS if noun not in right])
    change = generator.choice(["replace", "replace", "drop", "add"])
    if change == "add":
        return " , ".join([*named, intruder])
    if change == "drop" and count > 1:
        return " , ".join(named[:-1])
    named[generator.randrange(count)] = intruder
    return " , ".join(named)


def _wrong_category(task: Task, generator: random.Random) -> str:
    """The popular falsehood where there is one."""
    noun = task.subject[0]
    right = correct_core(task).split()[-1]
    return MYTH_OF.get(noun) or _other(CATEGORIES, right, generator)


def _wrong_sum(task: Task, generator: random.Random) -> str:
    right = sum(NUMBERS.index(word) for word in task.subject)
    near = [n for n in (right - 2, right - 1, right + 1, right + 2) if 0 <= n < len(NUMBERS)]
    return f"{' and '.join(task.subject)} is {NUMBERS[generator.choice(near)]}"


def _wrong_reversal(task: Task, generator: random.Random) -> str:
    """Not reversed, cut short, or with a foreign noun at the end."""
    turned = list(reversed(task.subject))
    stranger = generator.choice([noun for noun in NOUNS if noun not in task.subject])
    mistakes = [list(task.subject), turned[:-1], [*turned[:-1], stranger]]
    return " ".join(generator.choice(mistakes))
