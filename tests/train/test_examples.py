"""Rows as token ids: what truncation keeps and counts, and whose reference is whose."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import DataError
from plumbline.model.tokenizer import word_tokenizer
from plumbline.schema import Align
from plumbline.toyland.world import VOCABULARY
from plumbline.train.examples import (
    Example,
    annotated,
    labelled,
    samples,
    tokenise,
    turned,
    with_references,
    with_traceless,
)

WORDS = VOCABULARY[10:]
EOS, USER, BOT = 1, 2, 3


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer(VOCABULARY)


def text(start: int, count: int) -> str:
    """`count` words whose ids are 10 + start, 11 + start, ..."""
    return " ".join(WORDS[start : start + count])


def ids(start: int, count: int) -> tuple[int, ...]:
    return tuple(range(10 + start, 10 + start + count))


def row(prompt: str, **fields) -> dict:
    return {"id": "x", "prompt": [{"role": "user", "content": prompt}], **fields}


def recipe(**changes) -> Align:
    return Align(learning_rate=1.0, **changes)


def example(tokenizer, row: dict, feedback: str, **changes) -> Example:
    [found] = tokenise([row], feedback, tokenizer, recipe(**changes))
    return found


def test_a_pair_by_hand(tokenizer):
    found = example(tokenizer, row(text(0, 2), chosen=text(5, 3), rejected=text(9, 1)), "pairs")
    assert found.prompt == (USER, *ids(0, 2), BOT)
    assert found.completions == ((*ids(5, 3), EOS), (*ids(9, 1), EOS)), "chosen first"
    assert (found.cut, found.length, found.desirable, found.scores) == (0, 10, None, None)


def test_a_single_by_hand(tokenizer):
    given = row(text(0, 1), completion=text(5, 1), desirable=False, mismatched=text(7, 2))
    found = example(tokenizer, given, "singles")
    assert found.completions == ((*ids(5, 1), EOS),) and found.desirable is False
    assert found.mismatched == (*ids(7, 2), EOS)
    assert found.whole == (found.prompt, (*found.completions, found.mismatched))
    assert found.group == (found.prompt, found.completions)


def test_a_list_by_hand(tokenizer):
    given = row(text(0, 1), completions=[text(4, 1), text(5, 2), text(6, 1)], scores=[0, 1, 0.5])
    found = example(tokenizer, given, "lists")
    assert [len(item) for item in found.completions] == [2, 3, 2]
    assert found.scores == (0, 1, 0.5)
    assert found.whole == found.group == (found.prompt, found.completions)
    assert found.length == 3 + 2 + 3 + 2


def test_truncation_keeps_the_prompts_end_and_the_completions_start(tokenizer):
    """20 words of prompt are 22 tokens, of which 6 stay; 10 in all leave 4 for the answer."""
    given = row(text(0, 20), chosen=text(30, 9), rejected=text(40, 3))
    found = example(tokenizer, given, "pairs", max_prompt_tokens=6, max_tokens=10)
    assert found.prompt == (*ids(15, 5), BOT)
    assert found.completions == (ids(30, 4), (*ids(40, 3), EOS)), "a cut answer has no end"
    assert found.cut == 16 + 6 + 0


def test_room_depends_on_the_prompt_that_is_left(tokenizer):
    given = row(text(0, 1), chosen=text(30, 9), rejected=text(40, 3))
    found = example(tokenizer, given, "pairs", max_prompt_tokens=6, max_tokens=10)
    assert len(found.prompt) == 3 and found.completions[0] == ids(30, 7)


def test_a_mismatched_completion_is_cut_alike(tokenizer):
    given = row(text(0, 1), completion=text(5, 1), desirable=True, mismatched=text(7, 20))
    found = example(tokenizer, given, "singles", max_tokens=8)
    assert found.mismatched == ids(7, 5)


def test_an_empty_mismatched_completion_is_still_one(tokenizer):
    """Real data has empty answers: they are one end token."""
    given = row(text(0, 1), completion="", desirable=True, mismatched="")
    found = example(tokenizer, given, "singles")
    assert found.completions == ((EOS,),) and found.mismatched == (EOS,)


def test_a_prompt_that_leaves_no_room_is_refused(tokenizer):
    given = row(text(0, 20), chosen=text(30, 9), rejected=text(40, 3))
    with pytest.raises(DataError, match="row x: the prompt fills all 10 tokens.*max_prompt_tokens"):
        example(tokenizer, given, "pairs", max_prompt_tokens=10, max_tokens=10)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 30), st.integers(2, 20), st.integers(1, 20))
def test_nothing_is_lost_but_what_is_counted(prompt, answer, most_prompt, room):
    """Also: no example is longer than max_tokens, and no completion is empty."""
    tokenizer = word_tokenizer(VOCABULARY)
    given = row(text(0, prompt), chosen=text(31, answer), rejected=text(62, answer // 2))
    most = most_prompt + room
    found = example(tokenizer, given, "pairs", max_prompt_tokens=most_prompt, max_tokens=most)
    kept = len(found.prompt) + sum(map(len, found.completions))
    assert kept + found.cut == (prompt + 2) + (answer + 1) + (answer // 2 + 1)
    longest = len(found.prompt) + max(map(len, found.completions))
    assert longest <= most and all(found.completions)


def test_references_find_their_completions():
    pair = Example("a", (1,), ((2,), (3,)))
    single = Example("b", (1,), ((2,),), desirable=True, mismatched=(4,))
    table = {("b", 1): -4.0, ("a", 1): -3.0, ("a", 0): -2.0, ("b", 0): -1.0}
    first, second = with_references([pair, single], table)
    assert first.references == (-2.0, -3.0) and first.mismatched_reference is None
    assert second.references == (-1.0,) and second.mismatched_reference == -4.0
    assert (first.id, first.completions) == (pair.id, pair.completions)


def test_pairs_get_their_others_after_them(tokenizer):
    """Chosen, rejected, and both without traces, each cut to the room that the prompt leaves."""
    whole = row(text(0, 1), chosen=text(5, 9), rejected=text(15, 2))
    bare = row(text(0, 1), chosen=text(9, 5), rejected=text(16, 1))
    pair = example(tokenizer, whole, "pairs", max_tokens=7)
    other = example(tokenizer, bare, "traceless", max_tokens=7)
    keyed = [{("x", 0): -start, ("x", 1): -start - 1} for start in (1.0, 5.0)]
    first, second = (
        with_references([item], table) for item, table in zip((pair, other), keyed, strict=True)
    )
    [found] = with_traceless(first, second)
    assert found.completions == (ids(5, 4), (*ids(15, 2), EOS), ids(9, 4), (*ids(16, 1), EOS))
    assert found.references == (-1.0, -2.0, -5.0, -6.0)
    assert found.cut == 6 + 2 and found.length == 3 + 4 + 3 + 4 + 2
    assert found.prompt == pair.prompt == other.prompt


@pytest.mark.parametrize("missing", [("a", 0), ("b", 1)])
def test_an_example_the_reference_pass_has_not_seen(missing):
    rows = [
        Example("a", (1,), ((2,), (3,))),
        Example("b", (1,), ((2,),), desirable=True, mismatched=(4,)),
    ]
    table = {(name, index): -1.0 for name in "ab" for index in (0, 1)}
    del table[missing]
    with pytest.raises(DataError, match=f"example {missing[0]} has no reference"):
        with_references(rows, table)


def test_other_labels_turn_a_pair_with_its_references():
    pair = Example("a", (1,), ((2,), (3, 4)), references=(-1.0, -2.0))
    kept, turned, tied = labelled([pair, pair, pair], [[1, 0], [0, 1], [1, 1]])
    assert kept == pair == tied
    assert turned == Example("a", (1,), ((3, 4), (2,)), references=(-2.0, -1.0))


def test_other_labels_of_singles_and_lists_leave_the_completions():
    single = Example("b", (1,), ((2,),), desirable=True, mismatched=(4,), references=(-1.0,))
    listed = Example("c", (1,), ((2,), (3,)), scores=(0.9, 0.2), references=(-1.0, -2.0))
    bad, ranked = labelled([single, listed], [[0.0], [0.25, 0.75]])
    assert bad == Example("b", (1,), ((2,),), desirable=False, mismatched=(4,), references=(-1.0,))
    assert ranked == Example("c", (1,), ((2,), (3,)), scores=(0.25, 0.75), references=(-1.0, -2.0))


PAIRS = [Example(str(number), (1,), ((2, 3, 4, 5, 6, 7, 8), (3, 9, 4))) for number in range(200)]


def test_a_sample_takes_as_many_tokens_of_each_completion():
    found = samples(PAIRS, seed=0)
    assert len(found) == 400
    for (_, index), marks in found.items():
        assert len(marks) == (7, 3)[index] and sum(marks) == 3 and set(marks) <= {0.0, 1.0}


def test_a_sample_is_uniform_and_without_replacement():
    """200 samples of 3 in 7: each place about 86 times, with a deviation of 7."""
    marks = [values for (_, index), values in samples(PAIRS, seed=0).items() if not index]
    assert all(60 < sum(column) < 112 for column in zip(*marks, strict=True))


def test_a_sample_depends_on_seed_and_example_alone():
    assert samples(PAIRS[5:7], seed=3).items() <= samples(PAIRS, seed=3).items()
    assert samples(PAIRS, seed=3) != samples(PAIRS, seed=4)


def test_annotations_find_their_completions_and_one_another():
    [first] = annotated([PAIRS[0]], "a", {("0", 1): [3.0], ("0", 0): [1.0, 2.0]})
    [both] = annotated([first], "b", {("0", 0): [4.0], ("0", 1): [5.0]})
    assert both.annotations == {"a": ((1.0, 2.0), (3.0,)), "b": ((4.0,), (5.0,))}


def test_a_turned_pair_keeps_each_completions_own():
    pair = Example("a", (1,), ((2, 3), (4,)), references=(-1.0, -2.0))
    [pair] = annotated([pair], "n", {("a", 0): [0.5, 0.6], ("a", 1): [0.7]})
    found = turned(pair)
    assert found.completions == ((4,), (2, 3)) and found.references == (-2.0, -1.0)
    assert found.annotations == {"n": ((0.7,), (0.5, 0.6))}
    assert turned(found) == pair
