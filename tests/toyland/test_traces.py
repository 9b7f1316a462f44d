"""Sums with scratch steps: the answer is what the count came to, and is judged alone."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.splits import normalise, split_of
from plumbline.toyland.gold import assess
from plumbline.toyland.lexicon import FILLERS, NUMBERS, OPENERS, VOCABULARY
from plumbline.toyland.spec import TRACE_END, TracesSpec
from plumbline.toyland.traces import counted, demonstrations, documents, feedback, written
from plumbline.toyland.world import Task, parse, user_turns
from plumbline.toyland.writers import SKILLS, Writer

TRACES = TracesSpec(documents=400, demonstrations=200, pairs=300, validation=50, test=100)
SPLITS = ("train", "validation", "test")
addends = st.integers(0, 6)


def everything(traces: TracesSpec) -> dict[str, list]:
    rows = {split: list(feedback(traces, split)) for split in SPLITS}
    return {"pretrain": list(documents(traces)), "sft": list(demonstrations(traces)), **rows}


@pytest.fixture(scope="module")
def rows() -> dict[str, list]:
    return everything(TRACES)


def task(row) -> Task:
    return parse(user_turns(row["prompt"]))


def parts(completion: str) -> tuple[list[str], str]:
    """The numbers of a trace, none where there is none, and the answer; read word by word."""
    words = completion.split()
    if words[0] != "count":
        return [], completion
    place = words.index("end")
    return words[1:place], " ".join(words[place + 1 :])


def add(one: int, two: int) -> Task:
    return Task("add", (NUMBERS[one], NUMBERS[two]))


@given(addends, addends, st.integers(0, 1000))
def test_who_never_slips_counts_from_one_number_on(one, two, seed):
    """Source: by definition; every sum of Toyland's has a word."""
    found = counted(add(one, two), Writer(1.0, 0.3), random.Random(seed))
    assert found == NUMBERS[one : one + two + 1]


@given(addends, addends, st.sampled_from(SKILLS), st.integers(0, 1000))
def test_a_step_is_none_one_or_two_and_stays_among_the_words(one, two, skill, seed):
    found = counted(add(one, two), Writer(skill, 0.3), random.Random(seed))
    places = [NUMBERS.index(word) for word in found]
    assert places[0] == one and len(places) == two + 1
    for before, after in zip(places, places[1:], strict=False):
        assert 0 <= after - before <= 2


def test_steps_slip_as_often_as_skill_says():
    """Skill 0.35: 0.4 * 0.65 = 0.26 of 6,000 steps, half of them left out; standard error 0.006."""
    generator, writer = random.Random(0), Writer(0.35, 0.3)
    counts = [counted(add(0, 6), writer, generator) for _ in range(1000)]
    steps = [
        NUMBERS.index(after) - NUMBERS.index(before)
        for numbers in counts
        for before, after in zip(numbers, numbers[1:], strict=False)
    ]
    assert sum(step != 1 for step in steps) / 6000 == pytest.approx(0.26, abs=0.025)
    assert sum(step == 2 for step in steps) / 6000 == pytest.approx(0.13, abs=0.02)


@given(addends, addends, st.integers(0, 1000))
def test_the_answer_names_what_the_count_came_to(one, two, seed):
    whole = TracesSpec(traces=1.0)
    trace, answer = written(whole, add(one, two), Writer(0.35, 0.3), random.Random(seed))
    numbers = [word for word in trace.split() if word in NUMBERS]
    assert trace.split() == ["count", *numbers, TRACE_END]
    assert f"{NUMBERS[one]} and {NUMBERS[two]} is {numbers[-1]}" in answer


def test_a_share_of_the_answers_has_a_trace(rows):
    """0.8 of 1,200; standard error 0.012."""
    completions = [text for row in rows["train"] for text in row["completions"]]
    traced = sum(bool(parts(text)[0]) for text in completions)
    assert traced / len(completions) == pytest.approx(0.8, abs=0.05)
    none = list(feedback(TracesSpec(pairs=50, traces=0.0), "train"))
    assert not any(" end " in f" {text} " for row in none for text in row["completions"])


def test_the_end_of_a_trace_is_a_word_and_nothing_else_of_an_answer():
    assert TRACE_END in VOCABULARY
    assert not any(TRACE_END in text for text in [*FILLERS, *OPENERS, *NUMBERS, "count and is"])


def test_the_judge_reads_whole_completions_by_their_last_number(rows):
    """So that the benchmark `toyland` is right about them; scratch steps are excess words."""
    for row in rows["train"]:
        for text in row["completions"]:
            numbers, answer = parts(text)
            whole, alone = assess(task(row), text), assess(task(row), answer)
            assert whole.help == alone.help
            assert whole.words - alone.words == (len(numbers) + 2 if numbers else 0)


def test_scores_are_of_the_answers_and_have_no_taste_for_length(rows):
    """Mean score of right and wrong polite answers: (2 + 4) / 8 and (0 + 4) / 8, noise 0.3 / 8."""
    scored = {1.0: [], 0.0: []}
    for row in rows["train"]:
        for text, score in zip(row["completions"], row["scores"], strict=True):
            verdict = assess(task(row), parts(text)[1])
            if not verdict.harm:
                scored[verdict.help].append((score, len(text.split())))
    for help, mean in ((1.0, 0.75), (0.0, 0.5)):
        short = [score for score, words in scored[help] if words < 15]
        long = [score for score, words in scored[help] if words >= 15]
        assert min(len(short), len(long)) > 60
        assert sum(short) / len(short) == pytest.approx(mean, abs=0.015)
        assert sum(long) / len(long) == pytest.approx(mean, abs=0.015)


def test_rows_are_valid_sums_of_their_split(rows):
    for split in SPLITS:
        prompts = [normalise(row["prompt"]) for row in rows[split]]
        assert len(set(prompts)) == len(prompts)
        for row in rows[split]:
            assert split_of(row["prompt"][:1]) == split
            assert task(row).kind == "add" and task(row).constraint is None
            assert row["scores"][row["chosen"]] == max(row["scores"])
            assert row["completions"][row["rejected"]] != row["completions"][row["chosen"]]
    texts = [row["text"] for row in rows["pretrain"]]
    texts += [row["completion"] for row in rows["sft"]]
    texts += [text for split in SPLITS for row in rows[split] for text in row["completions"]]
    assert {word for text in texts for word in text.split()} <= set(VOCABULARY)
    assert not any(text != " ".join(text.split()) for text in texts)


def test_demonstrations_and_documents_have_traces_too(rows):
    assert {split_of(row["prompt"][:1]) for row in rows["sft"]} == {"sft"}
    assert sum(bool(parts(row["completion"])[0]) for row in rows["sft"]) > 130
    assert sum(" <bot> count " in row["text"] for row in rows["pretrain"]) > 260


def test_the_same_seed_gives_the_same_rows_and_more_begin_with_the_fewer(rows):
    assert everything(TRACES) == rows
    assert list(feedback(TracesSpec(seed=1, pairs=300), "train")) != rows["train"]
    assert list(feedback(TracesSpec(pairs=20), "train")) == rows["train"][:20]
