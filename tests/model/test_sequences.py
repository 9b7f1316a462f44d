"""Rows of a prompt with its completions: where each token stands, and what it may attend to."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from plumbline.model.sequences import apart, pack, together

words = st.lists(st.integers(1, 29), min_size=1, max_size=6)
groups = st.lists(st.tuples(words, st.lists(words, min_size=1, max_size=4)), min_size=1, max_size=5)


def test_a_row_by_hand():
    """Prompt 5 6, completions 7 8 9 and 4: both begin at position 2, neither sees the other."""
    block = pack([([5, 6], [[7, 8, 9], [4]])])
    assert block.ids.tolist() == [[5, 6, 7, 8, 9, 4]]
    assert block.positions.tolist() == [[0, 1, 2, 3, 4, 2]]
    assert block.segments.tolist() == [[0, 0, 1, 1, 1, 2]]
    assert block.lengths.tolist() == [3, 1]
    assert block.sources.T.tolist() == [[0, 1], [0, 2], [0, 3], [0, 1]], "4 follows the prompt"
    assert block.targets.tolist() == [7, 8, 9, 4]
    assert block.attention().long().tolist() == [
        [
            [
                [1, 0, 0, 0, 0, 0],
                [1, 1, 0, 0, 0, 0],
                [1, 1, 1, 0, 0, 0],
                [1, 1, 1, 1, 0, 0],
                [1, 1, 1, 1, 1, 0],
                [1, 1, 0, 0, 0, 1],
            ]
        ]
    ]


def test_one_completion_a_row_needs_no_mask():
    block = pack([([5, 6], [[7]]), ([5], [[8, 9, 1]])])
    assert block.attention() is None and block.positions is None
    assert block.ids.tolist() == [[5, 6, 7, 0], [5, 8, 9, 1]]


def test_values_go_to_their_completions():
    block = pack([([5], [[7, 8], [4]]), ([6], [[1, 2, 3]])])
    found = block.by_completion(torch.arange(1.0, 7.0))
    assert found.tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]


@given(groups)
def test_every_token_is_kept_and_predicted_from_the_one_before(given):
    for block in (pack(together(given)), pack(apart(given))):
        assert block.targets.tolist() == [
            token for _, answers in given for ids in answers for token in ids
        ]
        assert block.lengths.tolist() == [len(ids) for _, answers in given for ids in answers]
    block = pack(given)
    for row, (prompt, answers) in enumerate(given):
        whole = [*prompt, *(token for ids in answers for token in ids)]
        assert block.ids[row, : len(whole)].tolist() == whole
        assert not block.ids[row, len(whole) :].any(), "padded with 0, on the right"


@given(groups)
def test_a_token_sees_its_prompt_and_its_own_completion_up_to_itself(given):
    block = pack(given)
    mask = block.attention()
    if mask is None:
        return
    for row, (prompt, answers) in enumerate(given):
        start = len(prompt)
        for ids in answers:
            for offset in range(len(ids)):
                seen = mask[row, 0, start + offset].nonzero()[:, 0].tolist()
                assert seen == [*range(len(prompt)), *range(start, start + offset + 1)]
            start += len(ids)
    assert mask.diagonal(dim1=-2, dim2=-1).all(), (
        "padding sees itself: no row of attention is empty"
    )


@given(groups)
def test_apart_repeats_prompts(given):
    flat = [(prompt, ids) for prompt, answers in given for ids in answers]
    assert [(prompt, ids) for prompt, (ids,) in apart(given)] == flat
