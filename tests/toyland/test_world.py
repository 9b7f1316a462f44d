"""A question can be read back exactly, and nothing else can be read."""

import pytest
from hypothesis import given

from plumbline.errors import DataError
from plumbline.toyland.lexicon import CATEGORY_OF, COLOR_OF, MEMBERS, MYTH_OF, NOUNS
from plumbline.toyland.world import (
    KINDS,
    PHRASINGS,
    VOCABULARY,
    Task,
    chat_text,
    parse,
    question,
    user_turns,
)
from tests.toyland.strategies import first_tasks, two_tasks


@given(first_tasks())
def test_parse_inverts_question(task):
    assert parse([question(task)]) == task


@given(two_tasks())
def test_parse_reads_the_last_of_two_turns(tasks):
    assert parse([question(task) for task in tasks]) == tasks[1]


def test_parse_ignores_the_amount_of_white_space():
    assert parse(["  add  two and\nthree "]) == Task("add", ("two", "three"))


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [""],
        ["write a poem"],
        ["add two and eight"],
        ["list two red fruits , in rhyme"],
        ["now about two and three"],
        ["add two and three", "now about hot"],
        ["add two and three", "hello ! now about two and three"],
    ],
)
def test_parse_rejects_what_is_not_toyland(turns):
    with pytest.raises(DataError):
        parse(turns)


def test_special_tokens_come_first():
    assert VOCABULARY[:5] == ["<pad>", "<eos>", "<user>", "<bot>", "<unk>"]
    assert len(set(VOCABULARY)) == len(VOCABULARY)


@given(two_tasks())
def test_questions_stay_within_the_vocabulary(tasks):
    assert set(" ".join(map(question, tasks)).split()) <= set(VOCABULARY)


def test_every_noun_is_new_and_every_myth_is_false():
    assert len(set(NOUNS)) == 120
    assert len(MYTH_OF) == 60
    assert all(MYTH_OF[noun] != CATEGORY_OF[noun] for noun in MYTH_OF)
    assert all(len(nouns) == 4 for nouns in MEMBERS.values())


def test_myths_and_colors_do_not_give_the_category_away():
    for facts in (COLOR_OF, MYTH_OF):
        for value in set(facts.values()):
            assert len({CATEGORY_OF[noun] for noun in facts if facts[noun] == value}) >= 4


def test_eight_kinds_with_three_phrasings_each():
    assert len(KINDS) == 8
    assert all(len(set(templates)) == 3 for templates in PHRASINGS.values())


def test_chat_format():
    messages = [
        {"role": "user", "content": "opposite of hot ?"},
        {"role": "assistant", "content": "cold ."},
        {"role": "user", "content": "now about wet"},
    ]
    assert chat_text(messages) == (
        "<user> opposite of hot ? <bot> cold . <eos> <user> now about wet"
    )
    assert user_turns(messages) == ["opposite of hot ?", "now about wet"]
