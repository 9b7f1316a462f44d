"""A prompt's split is a function of its words alone."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.splits import BOUNDS, SPLITS, normalise, split_of


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_normalised_by_hand():
    turns = [*user("Hello  You"), {"role": "assistant", "content": "Hi.\n"}, *user("Why?")]
    assert normalise(turns) == "user : hello you assistant : hi. user : why?"


@pytest.mark.parametrize("number", range(20))
def test_split_by_hand(number):
    """Source: design.md section 4: sha256(normalised prompt) mod 1000."""
    text = f"question {number}"
    bucket = int(hashlib.sha256(f"user : {text}".encode()).hexdigest(), 16) % 1000
    bounds = [400, 500, 800, 850, 1000]
    expected = ["pretrain", "sft", "train", "validation", "test"]
    assert split_of(user(text)) == expected[sum(bucket >= bound for bound in bounds)]


@given(st.text(min_size=1), st.sampled_from([" ", "\n", "\t ", "  "]))
def test_spaces_and_case_cannot_move_a_prompt(text, space):
    words = text.split()
    assert split_of(user(space.join(words))) == split_of(user(" ".join(words).lower()))


def test_shares_follow_the_bounds():
    """Binomial with n = 4000: each count lies within five standard deviations."""
    count = 4000
    found = Counter(split_of(user(f"prompt {number}")) for number in range(count))
    widths = [
        bound - low for low, bound in zip([0, *BOUNDS.values()], BOUNDS.values(), strict=False)
    ]
    for split, width in zip(SPLITS, widths, strict=True):
        share = width / 1000
        deviation = (count * share * (1 - share)) ** 0.5
        assert abs(found[split] - count * share) < 5 * deviation


def test_the_bounds_are_those_of_the_design():
    """Source: written down here. Moving one would reshuffle all data, and leak test prompts."""
    expected = {"pretrain": 400, "sft": 500, "train": 800, "validation": 850, "test": 1000}
    assert expected == BOUNDS and list(BOUNDS) == list(expected)
