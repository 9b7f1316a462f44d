"""Hypothesis strategies for Toyland's tasks and answers."""

from hypothesis import strategies as st

from plumbline.toyland.lexicon import (
    COLORS,
    GREETINGS,
    NAMES,
    NOUNS,
    NUMBERS,
    OPPOSITES,
    PLURALS,
    SPECIALS,
    VOCABULARY,
)
from plumbline.toyland.world import CONSTRAINTS, Task

_one_of = st.sampled_from
SUBJECTS = {
    "list": st.tuples(_one_of(NUMBERS[1:4]), _one_of(COLORS), _one_of(list(PLURALS.values()))),
    "color": st.tuples(_one_of(NOUNS)),
    "kind": st.tuples(_one_of(NOUNS)),
    "add": st.tuples(_one_of(NUMBERS[:7]), _one_of(NUMBERS[:7])),
    "opposite": st.tuples(_one_of(list(OPPOSITES))),
    "say": st.tuples(_one_of(NOUNS), _one_of(NUMBERS[2:5])),
    "reverse": st.lists(_one_of(NOUNS), min_size=2, max_size=3, unique=True).map(tuple),
    "insult": st.lists(_one_of(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
}


@st.composite
def first_tasks(draw) -> Task:
    """Tasks that open a conversation."""
    kind = draw(_one_of(list(SUBJECTS)))
    return Task(
        kind,
        draw(SUBJECTS[kind]),
        draw(st.integers(0, 2)),
        draw(_one_of(["", *GREETINGS])),
        draw(_one_of([None, *CONSTRAINTS])),
    )


@st.composite
def two_tasks(draw) -> tuple[Task, Task]:
    """A first task and a follow-up to it."""
    first = draw(first_tasks())
    constraint = draw(_one_of([None, *CONSTRAINTS]))
    return first, Task(
        first.kind, draw(SUBJECTS[first.kind]), constraint=constraint, follow_up=True
    )


answers = st.lists(_one_of(VOCABULARY[len(SPECIALS) :]), max_size=20).map(" ".join)
