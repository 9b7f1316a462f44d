"""The same feedback as pairs, singles and lists."""

import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.data.views import (
    best_against_random,
    best_first,
    classes,
    common_kinds,
    derangement,
    lists,
    pairs,
    singles,
    traceless,
)
from plumbline.errors import DataError
from plumbline.splits import normalise


def prompt(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def row(id: str, question: str, completions: list[str], **given: object) -> dict:
    empty = {"scores": None, "chosen": None, "rejected": None}
    return {"id": id, "prompt": prompt(question), "completions": completions, **empty, **given}


PAIR_1 = row("1", "p", ["good", "bad"], chosen=0, rejected=1)
PAIR_2 = row("2", "q", ["poor", "fine"], chosen=1, rejected=0)
GOOD = row("3", "r", ["yes"], chosen=0)
BAD = row("4", "s", ["no"], rejected=0)
SCORED = row("5", "t", ["a", "b", "c", "d"], scores=[0.2, 0.9, 0.4, 0.1])


def test_pairs_are_the_texts_the_indices_name() -> None:
    assert pairs([PAIR_1, PAIR_2]) == [
        {"id": "1", "prompt": prompt("p"), "chosen": "good", "rejected": "bad"},
        {"id": "2", "prompt": prompt("q"), "chosen": "fine", "rejected": "poor"},
    ]


def test_pairs_lose_all_up_to_the_first_end_of_a_trace() -> None:
    """An answer may name the marker itself; one without a trace stays, spaces and all."""
    texts = ["<think> hm </think>\n\nsay </think> \n", "  no trace "]
    found = traceless([row("1", "p", texts, chosen=0, rejected=1)], "</think>")
    assert found == [
        {"id": "1", "prompt": prompt("p"), "chosen": "say </think> \n", "rejected": "  no trace "}
    ]
    both = ["no trace", "hm end yes"]
    assert [item["rejected"] for item in traceless([PAIR_1, PAIR_2 | {"completions": both}], "end")]


def test_a_trace_may_be_all_there_is() -> None:
    [found] = traceless([row("1", "p", ["a end", "b end  c"], chosen=0, rejected=1)], "end")
    assert (found["chosen"], found["rejected"]) == ("", "c")


def test_no_trace_anywhere_names_the_key_and_what_would_be_right() -> None:
    sentence = r"none contains '</think>'; data.trace_end must be the text.*toyland_traces"
    with pytest.raises(DataError, match=sentence):
        traceless([PAIR_1, PAIR_2], "</think>")
    with pytest.raises(DataError, match="row '3' gives no pairs"):
        traceless([GOOD], "</think>")


def test_a_pair_is_two_singles_with_the_other_prompts_completion_beside_each() -> None:
    first, second, third, fourth = singles([PAIR_1, PAIR_2], seed=0)
    assert [first["id"], second["id"]] == ["1/chosen", "1/rejected"]
    assert [first["completion"], second["completion"]] == ["good", "bad"]
    assert [item["desirable"] for item in (first, second, third, fourth)] == [True, False] * 2
    assert {first["mismatched"], second["mismatched"]} == {"fine", "poor"}
    assert {third["mismatched"], fourth["mismatched"]} == {"good", "bad"}


ROWS = [row(str(index), f"q {index}", ["a", "b"], chosen=0, rejected=1) for index in range(4000)]


def test_a_share_of_a_class_is_kept_and_all_of_the_other() -> None:
    """Binomial(4000, 0.01) has mean 40 and standard deviation 6.3: within four of them."""
    found = classes(ROWS, 0, {"desirable": 0.01, "undesirable": 1.0})
    assert 15 <= found["desirable"] <= 65 and found["undesirable"] == 4000
    assert classes(ROWS) == {"desirable": 4000, "undesirable": 4000}


def test_what_is_kept_does_not_depend_on_the_other_rows() -> None:
    keep = {"desirable": 0.3, "undesirable": 0.5}
    whole, part = (
        {item["id"] for item in singles(rows, 0, keep)} for rows in (ROWS[:400], ROWS[100:200])
    )
    names = {f"{index}/{side}" for index in range(100, 200) for side in ("chosen", "rejected")}
    assert part == whole & names and part
    assert {item["id"] for item in singles(ROWS[:400], 1, keep)} != whole


def test_a_smaller_share_is_a_part_of_a_larger_one() -> None:
    few, many = (
        {item["id"] for item in singles(ROWS[:400], 0, {"desirable": share, "undesirable": 1.0})}
        for share in (0.1, 0.4)
    )
    assert few < many


def test_mismatched_completions_are_of_what_is_kept() -> None:
    rows = [row(str(index), f"q {index}", [f"a {index}", "b"], chosen=0, rejected=1)
            for index in range(50)]  # fmt: skip
    found = singles(rows, 0, {"desirable": 0.5, "undesirable": 0.1})
    assert sorted(item["mismatched"] for item in found) == sorted(i["completion"] for i in found)


def test_binary_feedback_is_singles_as_it_is() -> None:
    good, bad = singles([GOOD, BAD], seed=0)
    assert (good["completion"], good["desirable"], good["mismatched"]) == ("yes", True, "no")
    assert (bad["completion"], bad["desirable"], bad["mismatched"]) == ("no", False, "yes")


@st.composite
def repeated_prompts(draw: st.DrawFn) -> list[dict]:
    """Rows of which at most half of the examples share a prompt, in any order and spelling."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=12))
    sizes.append(max(sizes))
    names = [f"p{index}" for index, size in enumerate(sizes) for _ in range(size)]
    spelled = [draw(st.sampled_from([name, name.upper(), f"  {name} "])) for name in names]
    shuffled = draw(st.permutations(spelled))
    return [
        row(str(index), name, [f"{index}+", f"{index}-"], chosen=0, rejected=1)
        for index, name in enumerate(shuffled)
    ]


@given(repeated_prompts(), st.integers(0, 2**31))
def test_mismatched_is_never_of_the_same_prompt_and_each_is_used_once(rows, seed) -> None:
    examples = singles(rows, seed)
    home = {text: normalise(row["prompt"]) for row in rows for text in row["completions"]}
    for example in examples:
        assert home[example["mismatched"]] != normalise(example["prompt"])
    assert sorted(example["mismatched"] for example in examples) == sorted(home)
    assert examples == singles(rows, seed)


def test_another_seed_mismatches_otherwise() -> None:
    groups = [str(index // 2) for index in range(40)]
    assert len({tuple(derangement(groups, seed)) for seed in range(20)}) == 20


def test_every_foreign_partner_is_about_as_likely() -> None:
    groups = ["a", "a", "b", "b", "c", "c"]
    drawn = Counter(derangement(groups, seed)[0] for seed in range(4000))
    assert set(drawn) == {2, 3, 4, 5}
    # A fair draw of 1 in 4 has a standard deviation of 27 here.
    assert all(abs(count - 1000) < 150 for count in drawn.values())


def test_a_prompt_of_more_than_half_of_the_examples_cannot_be_mismatched() -> None:
    with pytest.raises(
        DataError, match="4 of 6 examples have the prompt .*user : p.* at most half"
    ):
        singles([PAIR_1, {**PAIR_1, "id": "9"}, PAIR_2], seed=0)
    assert derangement([], seed=0) == []


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=6), st.text())
def test_best_first_is_an_order_with_a_best_one_in_front(scores: list[float], key: str) -> None:
    order = best_first(scores, key, seed=3)
    assert sorted(order) == list(range(len(scores)))
    assert scores[order[0]] == max(scores)


def test_the_rejected_one_is_any_other_and_a_tie_for_the_best_is_drawn() -> None:
    texts, keys = ["a", "b", "c", "d"], [f"row {index}" for index in range(3000)]
    drawn = Counter(best_against_random(texts, [0.2, 0.9, 0.4, 0.1], key, 0) for key in keys)
    assert set(drawn) == {(1, 0), (1, 2), (1, 3)}
    assert all(abs(count - 1000) < 130 for count in drawn.values())  # sd 26
    tied = Counter(best_against_random(texts[:2], [0.5, 0.5], key, 0)[0] for key in keys)
    assert abs(tied[0] - 1500) < 140  # sd 27


def test_the_rejected_one_is_another_text_where_there_is_one() -> None:
    pair = [best_against_random(["a", "a", "b"], [0.9, 0.8, 0.1], str(key), 0) for key in range(50)]
    assert set(pair) == {(0, 2)}
    assert best_against_random(["a", "a"], [0.9, 0.8], "key", 0) == (0, 1)


def test_a_list_of_all_is_the_row() -> None:
    (whole,) = lists([SCORED], responses=4, seed=0)
    assert whole["completions"] == SCORED["completions"]
    assert whole["scores"] == SCORED["scores"]


def test_a_list_of_two_is_the_best_and_a_random_other_one() -> None:
    many = [{**SCORED, "id": str(index)} for index in range(300)]
    drawn = {tuple(item["completions"]) for item in lists(many, responses=2, seed=0)}
    assert drawn == {("a", "b"), ("b", "c"), ("b", "d")}
    for item in lists(many, responses=2, seed=0):
        of_text = dict(zip(SCORED["completions"], SCORED["scores"], strict=True))
        assert item["scores"] == [of_text[text] for text in item["completions"]]


def test_shorter_lists_hold_the_same_pair_and_other_rows_do_not_matter() -> None:
    three, two = (lists([SCORED], responses=count, seed=7)[0] for count in (3, 2))
    assert set(two["completions"]) < set(three["completions"])
    assert lists([{**SCORED, "id": "8"}, SCORED], responses=2, seed=7)[1] == two


def test_rows_with_too_few_responses_are_left_out_and_counted(caplog) -> None:
    short = row("6", "u", ["a", "b"], scores=[0.1, 0.2])
    with caplog.at_level(logging.WARNING):
        assert [item["id"] for item in lists([short, SCORED], responses=4, seed=0)] == ["5"]
    assert "1 of 2 prompts have under 4 responses" in caplog.text
    with pytest.raises(DataError, match="responses is 4; this data has at most 2 for a prompt"):
        lists([short], responses=4, seed=0)


@pytest.mark.parametrize(
    ("view", "rows", "message"),
    [
        (pairs, [GOOD, BAD], "row '3' gives no pairs; this data gives singles"),
        (lambda rows: lists(rows, 2, 0), [PAIR_1], "row '1' gives no lists; .* pairs and singles"),
        (
            lambda rows: singles(rows, 0),
            [SCORED],
            "row '5' gives no singles; this data gives lists",
        ),
        (pairs, [PAIR_1, SCORED], "row '5' gives no pairs; .* gives nothing in all of its rows"),
    ],
)
def test_a_view_the_data_cannot_give_says_which_it_can(view, rows, message: str) -> None:
    with pytest.raises(DataError, match=message):
        view(rows)


def test_common_kinds_are_what_every_row_gives() -> None:
    assert common_kinds([PAIR_1, {**SCORED, "chosen": 1, "rejected": 0}]) == ["pairs", "singles"]
    assert common_kinds([row("7", "v", ["alone"], scores=[0.5])]) == []
    assert common_kinds([]) == []
