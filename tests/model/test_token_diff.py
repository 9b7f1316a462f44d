"""Two renderings side by side: what differs is marked, and stands where it stands."""

import pytest

from plumbline.model.token_diff import aligned, token_diff

TITLES = "left", "right"


def marked(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.lstrip().startswith(">")]


def test_lines_pair_equal_tokens():
    """Source: by hand. 2 was put in before 3, and 4 became 5."""
    found = list(aligned([1, 3, 4], [1, 2, 3, 5]))
    assert found == [
        ((0, 1), (0, 1)),
        (None, (1, 2)),
        ((1, 3), (2, 3)),
        ((2, 4), (3, 5)),
    ]


def test_only_the_difference_is_marked(bytes_bpe):
    left = bytes_bpe("the cat sat on the mat", add_special_tokens=False)["input_ids"]
    right = bytes_bpe("the cat sat on the hat", add_special_tokens=False)["input_ids"]
    text = token_diff(bytes_bpe, TITLES, left, right)
    first = next(
        place for place, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]
    )
    assert text.startswith(f"the first difference is at token {first}:")
    assert 1 <= len(marked(text)) <= 3
    assert str(left[first]) in marked(text)[0] and str(right[first]) in marked(text)[0]


def test_a_missing_token_leaves_its_side_empty(bytes_bpe):
    ids = bytes_bpe("a b c", add_special_tokens=False)["input_ids"]
    [line] = marked(token_diff(bytes_bpe, TITLES, ids[:-1], ids))
    assert line.split()[1:2] == [str(len(ids) - 1)]


def test_long_rests_are_counted_and_long_beginnings_left_out(bytes_bpe):
    """4 lines before the first difference and 16 from it on."""
    text = token_diff(bytes_bpe, TITLES, [5] * 50 + [6] + [5] * 60, [5] * 50 + [7] + [5] * 60)
    assert text.endswith("... and 45 lines more")
    assert len(text.split("\n")) == 1 + 2 + 4 + 16 + 1


@pytest.mark.parametrize("hostile", ["\x1b[31m", "[bold]x[/bold]", "\n"])
def test_tokens_are_quoted(bytes_bpe, hostile):
    """What a model may say must not command the terminal, nor rich's markup."""
    ids = bytes_bpe(hostile, add_special_tokens=False)["input_ids"]
    text = token_diff(bytes_bpe, TITLES, [4], ids)
    assert "\x1b" not in text
    assert all(len(line.split()) > 1 for line in marked(text))
