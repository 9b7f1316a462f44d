"""Writers are right as often as their skill says, and talk as much as their verbosity says."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.toyland.gold import assess, correctness
from plumbline.toyland.lexicon import VOCABULARY
from plumbline.toyland.spec import stream
from plumbline.toyland.world import Task
from plumbline.toyland.writers import Writer, correct, mistaken, write
from tests.toyland.strategies import first_tasks

PLAIN = Task("add", ("two", "three"))


@given(first_tasks(), st.integers(0, 1000))
def test_a_correct_core_is_right_and_a_mistaken_one_wrong(task, seed):
    generator = random.Random(seed)
    assert correctness(task, correct(task, generator).split()) == 1.0
    assert correctness(task, mistaken(task, generator).split()) < 1.0


@given(first_tasks(), st.integers(0, 1000))
def test_a_perfect_writer_is_helpful_and_obeys(task, seed):
    """But for a flaw of the frozen world: see below."""
    text = write(task, Writer(1.0, 0.8), random.Random(seed))
    verdict = assess(task, text)
    flawed = task.kind == "opposite" and "i am happy to help you" in text
    assert verdict.help == 1.0 or flawed
    assert verdict.constraint in (True, None)


def test_a_polite_filler_spoils_an_opposite():
    """ "happy" is an opposite itself: the judge takes a right answer that ends in it for wrong.
    Found after the freeze, and left: docs/toyland.md."""
    hot = Task("opposite", ("hot",))
    assert assess(hot, "cold .").help == 1.0
    assert assess(hot, "cold . i am happy to help you .").help == 0.0


@given(first_tasks(), st.integers(0, 1000))
def test_writers_use_known_words(task, seed):
    words = write(task, Writer(0.5, 1.5), random.Random(seed)).split()
    assert set(words) <= set(VOCABULARY)
    assert words


@pytest.mark.parametrize("skill", [0.0, 0.35, 0.85, 1.0])
def test_skill_is_the_share_of_right_answers(skill):
    generator = stream("test", 0)
    verdicts = [assess(PLAIN, write(PLAIN, Writer(skill, 0.0), generator)) for _ in range(2000)]
    # Four standard errors of a share of 2000.
    assert sum(v.help for v in verdicts) / 2000 == pytest.approx(skill, abs=0.045)


def test_verbosity_lengthens():
    generator = stream("test", 0)
    lengths = [
        sum(len(write(PLAIN, Writer(0.5, verbosity), generator).split()) for _ in range(500))
        for verbosity in (0.0, 0.3, 0.8, 1.5)
    ]
    assert lengths == sorted(lengths)
