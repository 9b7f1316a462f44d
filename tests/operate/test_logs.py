"""The last lines of a log, whatever is in it."""

import pytest

from plumbline.operate.logs import TAIL, last_lines, plain


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("10%\r20%\r100%\r", "100%"),
        ("bell\x07 and \u202ereversed", "bell and reversed"),
        ("[bold]as it is[/bold]", "[bold]as it is[/bold]"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_a_line_is_what_a_terminal_shows_in_the_end(line, shown):
    assert plain(line) == shown


def test_the_end_of_a_long_log_cut_inside_a_letter(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes("é".encode()[1:] + b"\n" + b"filler\n" * TAIL + b"one\n\n  \ntwo\n")
    assert last_lines(path, 2) == ["one", "two"]
    assert last_lines(tmp_path / "absent.log", 2) == []


def test_bytes_that_are_no_text_are_replaced(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"\xff\xfe broken\n")
    assert last_lines(path, 3) == ["\ufffd\ufffd broken"]
