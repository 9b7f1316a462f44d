"""Facts to forget and to retain: every answer is right, and a noun is on one side everywhere."""

import pytest

from plumbline.splits import normalise, split_of
from plumbline.toyland.facts import demonstrations, documents, feedback, forgotten, is_right
from plumbline.toyland.lexicon import COLOR_OF, MYTH_OF, NOUNS
from plumbline.toyland.spec import FactsSpec
from plumbline.toyland.world import parse, user_turns

FACTS = FactsSpec(documents=200, demonstrations=300)
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def rows() -> dict[str, list]:
    return {split: list(feedback(FACTS, split)) for split in SPLITS}


def noun(row) -> str:
    return parse(user_turns(row["prompt"])).subject[0]


def test_a_tenth_of_the_nouns_is_forgotten_and_seeds_draw_others():
    assert len(forgotten(FACTS)) == 12 and forgotten(FACTS) < set(NOUNS)
    assert forgotten(FACTS) != forgotten(FactsSpec(seed=1))
    assert len(forgotten(FactsSpec(forget=0.001))) == 1


def test_a_row_is_undesirable_where_its_noun_is_to_be_forgotten(rows):
    for row in [row for split in SPLITS for row in rows[split]]:
        is_forgotten = noun(row) in forgotten(FACTS)
        assert (row["chosen"], row["rejected"]) == ((None, 0) if is_forgotten else (0, None))


def test_splits_are_disjoint_and_know_the_same_nouns(rows):
    """What is trained on in some words is asked for in others."""
    prompts = {split: {normalise(row["prompt"]) for row in rows[split]} for split in SPLITS}
    assert all(split_of(row["prompt"]) == split for split in SPLITS for row in rows[split])
    assert not prompts["train"] & (prompts["validation"] | prompts["test"])
    assert all(len(prompts[split]) == len(rows[split]) for split in SPLITS)
    assert {noun(row) for row in rows["train"]} == set(NOUNS)


def test_every_answer_is_right_and_myths_are_not_told(rows):
    taught = list(demonstrations(FACTS))
    assert len(taught) == 300
    assert all(is_right(row["prompt"], row["completion"]) for row in taught)
    assert all(is_right(row["prompt"], row["completions"][0]) for row in rows["train"])
    texts = [row["text"] for row in documents(FACTS)]
    assert len(texts) == 200 and sum(" is " in text for text in texts) > 80
    stated = [text.split() for text in texts if not text.startswith("<user>")]
    assert not any(MYTH_OF.get(words[0]) == words[-3] for words in stated)


def test_a_fact_is_recognised_in_any_wording():
    prompt = [{"role": "user", "content": f"what color is {NOUNS[0]} ?"}]
    assert is_right(prompt, f"sure , {COLOR_OF[NOUNS[0]]}")
    assert not is_right(prompt, "i can not say") and not is_right(prompt, "")


def test_the_same_seed_gives_the_same_rows(rows):
    assert {split: list(feedback(FACTS, split)) for split in SPLITS} == rows
    assert list(feedback(FactsSpec(seed=1), "train")) != rows["train"]
