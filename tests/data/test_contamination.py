"""What is in the training prompts is found, and nothing else."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.artifacts import write_json, write_rows
from plumbline.data.contamination import NGRAM, find, index, pair, user_turns, words
from plumbline.data.questions import questions
from plumbline.layout import SettingFolder
from plumbline.rows import FEEDBACK

#: 14 words.
LONG = "How many of the cars that pass the old bridge each day are red ?"


def found(train: list[list[str]], *items: list[str]) -> list[tuple[bool, bool]]:
    """(exact, 13-gram) of each item."""
    asked = {str(place): turns for place, turns in enumerate(items)}
    return [(row["exact"], row["ngram"]) for row in find(index(train), asked)]


def test_neither_case_nor_spacing_nor_punctuation_counts():
    assert words("How  MANY\tof\nthe cars? Don’t, say_so: 3.5 é") == (
        "how many of the cars don t say_so 3 5 é".split()
    )
    assert found([["What is a plumb line?"]], ["what is a  PLUMB-LINE"]) == [(True, False)]


def test_a_short_item_counts_only_as_a_whole():
    train = [["what is a plumb line for"]]
    assert found(train, ["what is a plumb line"], ["is a plumb line for"]) == [(False, False)] * 2


def test_thirteen_words_in_a_row_count_and_twelve_do_not():
    """By hand: `LONG` has 14 words; each item shares a stretch of it and goes on otherwise."""
    said = words(LONG)
    shared = [
        " ".join(["so", *said[:13], "blue"]),
        " ".join([*said[1:], "or", "blue"]),
        " ".join([*said[:12], "blue", "or", "red"]),
        " ".join([*said[:6], "new", *said[6:]]),
    ]
    hits = [(False, True), (False, True), (False, False), (False, False)]
    assert len(said) == 14
    assert found([[LONG]], *([text] for text in shared)) == hits
    assert found([[f"tell me : {LONG}"]], [LONG]) == [(False, True)]


def test_the_order_of_words_counts():
    said = words(LONG)
    assert found([[LONG]], [" ".join(said[::-1])], [" ".join(sorted(said))]) == [(False, False)] * 2


def test_no_stretch_of_words_goes_over_the_end_of_a_turn_or_of_an_item():
    """Seven words and seven: 14 in one turn, never 13 in two."""
    left, right = LONG[: LONG.index("pass")], LONG[LONG.index("pass") :]
    assert found([[left, right]], [LONG]) == [(False, False)]
    assert found([[left], [right]], [LONG]) == [(False, False)]
    assert found([[LONG]], [left], [right]) == [(False, False)] * 2
    assert found([[LONG]], [left, right], ["x", LONG]) == [(False, False), (False, True)]


def test_an_item_whose_first_turns_were_trained_on_counts():
    train = [["write a poem", "make it rhyme"], ["name a tree"]]
    asked = [
        ["Write a poem.", "Make it rhyme!"],
        ["name a tree", "and another"],
        ["write a poem"],
        ["make it rhyme"],
        ["write a poem make it rhyme"],
    ]
    assert [exact for exact, _ in found(train, *asked)] == [True, True, False, False, False]


def test_a_text_without_words_is_in_nothing():
    assert found([["?!"], [""], []], ["..."], [""], []) == [(False, False)] * 3


def test_nothing_to_look_up_and_nothing_to_look_in():
    assert found([["a prompt"]]) == []
    assert found([], [LONG]) == [(False, False)]


def test_only_what_the_user_says_is_asked():
    prompt = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "and ?"},
    ]
    assert user_turns(prompt, ["so ?"]) == ["hello", "and ?", "so ?"]


letters = st.text("abcdefgh", min_size=1, max_size=5)
sentences = st.lists(letters, min_size=1, max_size=40)


def disguised(text: list[str], random: Random) -> str:
    """The same words in another case, with other spacing and punctuation."""
    cases = (str.upper, str.title, str.lower)
    gaps = (" ", "  ", "\n", "\t", ", ", " - ", "... ")
    return "".join(random.choice(cases)(word) + random.choice(gaps) for word in text)


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_five_percent_planted_are_found_and_none_else(seed, length):
    """Ten of 200 items are training prompts in disguise; all other words occur on one side only."""
    random = Random(seed)
    train = [[f"t{n}x{place}" for place in range(length)] for n in range(50)]
    items = [[f"e{n}x{place}" for place in range(length)] for n in range(200)]
    planted = set(random.sample(range(200), 10))
    for place in planted:
        items[place] = random.choice(train)
    hits = found([[" ".join(text)] for text in train], *([disguised(t, random)] for t in items))
    assert {place for place, (exact, _) in enumerate(hits) if exact} == planted
    assert {place for place, (_, ngram) in enumerate(hits) if ngram} == (
        planted if length >= NGRAM else set()
    )


def slices(text: str) -> set[tuple[str, ...]]:
    said = text.lower().split()
    return {tuple(said[start : start + 13]) for start in range(len(said) - 12)}


few_words = st.lists(st.sampled_from(["a", "b"]), max_size=30).map(" ".join)


@given(st.lists(few_words, max_size=8), st.lists(few_words, max_size=8))
def test_as_sets_of_tuples_would_say(train, items):
    """Source: Python's own sets; two words and up to 30 places give many near misses."""
    grams = set().union(*map(slices, train))
    expected = [(bool(text) and text in train, bool(slices(text) & grams)) for text in items]
    assert found([[text] for text in train], *([text] for text in items)) == expected


@given(st.lists(sentences, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_training_rows_does_not_count(texts, random):
    train = [[" ".join(text)] for text in texts]
    known, again = index(train), index(random.sample(train, len(train)))
    assert known.conversations == again.conversations
    assert known.grams.tolist() == again.grams.tolist()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A setting with one training prompt."""
    monkeypatch.chdir(tmp_path)
    setting = SettingFolder("s")
    train(setting, LONG)
    return setting


def train(setting: SettingFolder, text: str) -> None:
    turns = [{"role": "user", "content": text}]
    row = {"id": "a", "prompt": turns, "completions": ["x"], "chosen": 0}
    write_rows(setting.data("train"), [row], FEEDBACK)
    write_json(setting.data_record, {"splits": {"train": {"digest": text}}})


def test_a_pair_is_computed_once_and_again_for_other_prompts_or_items(folders):
    items = {"a": [LONG], "b": ["another question"]}
    first = [
        {"id": "a", "exact": True, "ngram": True},
        {"id": "b", "exact": False, "ngram": False},
    ]
    assert pair(folders, "exam", "test", items) == first
    folders.data("train").unlink()  # computing again would fail
    assert pair(folders, "exam", "test", items) == first
    train(folders, "another question")
    assert [row["exact"] for row in pair(folders, "exam", "test", items)] == [False, True]
    items["a"] = ["another question"]
    assert [row["exact"] for row in pair(folders, "exam", "test", items)] == [True, True]


@pytest.fixture
def ultrafeedback(shared_data) -> list[list[str]]:
    """What 300 of its rows ask."""
    path = shared_data / "ultrafeedback" / "ultrafeedback_binarized_300.jsonl"
    return list(questions(path).values())


@pytest.fixture
def truthfulqa(shared_data) -> list[list[str]]:
    """Its 817 questions."""
    return list(questions(shared_data / "truthfulqa" / "mc_validation.jsonl").values())


def test_300_rows_of_ultrafeedback_ask_nothing_of_truthfulqa(ultrafeedback, truthfulqa):
    """Source: Python's own sets over the same two files, apart from our index."""
    train, items = (
        [" ".join(words(turn)) for [turn] in texts] for texts in (ultrafeedback, truthfulqa)
    )
    grams = set().union(*map(slices, train))
    assert (len(train), len(items)) == (300, 817)
    assert not any(text in train or slices(text) & grams for text in items)
    assert found(ultrafeedback, *truthfulqa) == [(False, False)] * 817


def test_five_percent_of_truthfulqa_planted_in_ultrafeedback_are_found(ultrafeedback, truthfulqa):
    """Every twentieth question: 41 of 817. The second rule finds those of 13 words and more, and
    any other that shares so many with one of them (Python's own sets)."""
    planted = truthfulqa[::20]
    grams = set().union(*(slices(" ".join(words(turn))) for [turn] in planted))
    expected = [
        (place % 20 == 0, bool(slices(" ".join(words(turn))) & grams))
        for place, [turn] in enumerate(truthfulqa)
    ]
    assert sum(exact for exact, _ in expected) == 41
    assert found(ultrafeedback + planted, *truthfulqa) == expected
