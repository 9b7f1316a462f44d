"""Rows are valid, splits disjoint, and everything is the same to the byte for a seed."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from plumbline.splits import normalise, split_of
from plumbline.toyland.lexicon import SPECIALS, VOCABULARY
from plumbline.toyland.source import WorldSpec, demonstrations, feedback, pretrain
from plumbline.toyland.world import Task, parse, user_turns

SMALL = WorldSpec(documents=400, demonstrations=200, pairs=200, validation=50, test=50)
SPLITS = ("train", "validation", "test")


def everything(world: WorldSpec) -> dict[str, list]:
    rows = {split: list(feedback(world, split)) for split in SPLITS}
    return {"pretrain": list(pretrain(world)), "sft": list(demonstrations(world)), **rows}


@pytest.fixture(scope="module")
def rows():
    return everything(SMALL)


def test_counts_and_identifiers(rows):
    assert {name: len(part) for name, part in rows.items()} == {
        "pretrain": 400,
        "sft": 200,
        "train": 200,
        "validation": 50,
        "test": 50,
    }
    identifiers = [row["id"] for part in rows.values() for row in part]
    assert len(set(identifiers)) == len(identifiers)


def test_the_same_seed_gives_the_same_bytes(rows):
    digest = sha256(json.dumps(rows).encode()).hexdigest()
    assert sha256(json.dumps(everything(SMALL)).encode()).hexdigest() == digest
    other = everything(replace(SMALL, seed=1))
    assert all(other[name] != rows[name] for name in rows)


def test_a_larger_world_begins_with_the_smaller_one(rows):
    assert list(feedback(replace(SMALL, pairs=250), "train"))[:200] == rows["train"]


@pytest.mark.parametrize("name", ["sft", *SPLITS])
def test_openings_belong_to_their_split(rows, name):
    assert {split_of(row["prompt"][:1]) for row in rows[name]} == {name}
    assert all(isinstance(parse(user_turns(row["prompt"])), Task) for row in rows[name])


def test_pretraining_dialogues_ask_prompts_of_the_pretrain_split(rows):
    dialogues = [row["text"] for row in rows["pretrain"] if row["text"].startswith("<user>")]
    assert 200 < len(dialogues) < 400
    assert {split_of(prompt_of(text)[:1]) for text in dialogues} == {"pretrain"}


def prompt_of(text: str) -> list[dict[str, str]]:
    """The prompt of a document in the chat format, read without Toyland's own code."""
    messages = []
    for turn in text.removesuffix(" <eos>").split(" <eos> "):
        asked, answered = turn.removeprefix("<user> ").split(" <bot> ")
        messages += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answered},
        ]
    return messages[:-1]


@pytest.mark.parametrize("name", SPLITS)
def test_feedback_rows(rows, name):
    for row in rows[name]:
        chosen, rejected = row["chosen"], row["rejected"]
        assert len(row["completions"]) == len(row["scores"]) == 4
        assert all(0.0 <= score <= 1.0 for score in row["scores"])
        assert row["scores"][chosen] == max(row["scores"])
        assert row["completions"][chosen] != row["completions"][rejected]
    prompts = [normalise(row["prompt"]) for row in rows[name]]
    assert len(set(prompts)) == len(prompts)


def test_all_text_is_in_the_vocabulary(rows):
    known = set(VOCABULARY)
    assert all(set(row["text"].split()) <= known for row in rows["pretrain"])
    texts = [text for name in SPLITS for row in rows[name] for text in row["completions"]]
    texts += [row["completion"] for row in rows["sft"]]
    assert all(set(text.split()) <= known - set(SPECIALS) for text in texts)


def test_every_word_is_used():
    world = WorldSpec(documents=20000)
    used = {word for row in pretrain(world) for word in row["text"].split()}
    assert set(VOCABULARY) - used == {"<pad>", "<unk>"}


def test_the_length_bias_lengthens_the_chosen():
    def mean_words(length_bias: float) -> float:
        world = replace(SMALL, pairs=1000, length_bias=length_bias)
        texts = [row["completions"][row["chosen"]] for row in feedback(world, "train")]
        return sum(len(text.split()) for text in texts) / len(texts)

    assert mean_words(0.0) < mean_words(0.015) < mean_words(0.2)
