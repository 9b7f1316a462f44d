"""A table of cases: which prompts, and that no text is markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.report.cases import case_files, cases, inert, to_markdown

HOSTILE = "![x](http://evil/a.png) <script>alert(1)</script> | `b` **c**\nsecond & line"


def response(name: str, answer: str) -> dict:
    prompt = [{"role": "user", "content": f"ask {name}"}]
    return {"id": name, "prompt": prompt, "answers": [answer] if answer else []}


@pytest.fixture
def found():
    responses = {
        "DPO": [response("a", "yes a"), response("b", HOSTILE), response("c", "")],
        "PRO-P": [response("a", "no a"), response("b", "no b"), response("c", "no c")],
    }
    judgments = {"DPO": {"a": "win_rate: 100."}, "PRO-P": {"a": "win_rate: 0.", "b": "|"}}
    return cases(responses, judgments, {"a": "good a", "b": "good b", "c": "good c"}, 5)


def test_a_case_is_a_prompt_that_every_method_answered(found):
    assert {case.prompt for case in found} == {"user: ask a", "user: ask b"}
    case = next(case for case in found if case.preferred == "good a")
    assert [(said.title, said.answer, said.judgment) for said in case.answers] == [
        ("DPO", "yes a", "win_rate: 100."),
        ("PRO-P", "no a", "win_rate: 0."),
    ]


def test_no_more_than_asked_and_always_the_same(found):
    rows = {"DPO": [response(str(number), "yes") for number in range(20)]}
    names = {str(number): "good" for number in range(20)}
    one, again = (cases(rows, {"DPO": {}}, names, 3) for _ in range(2))
    assert len(one) == 3 and one == again


def test_markdown_keeps_a_line_and_six_cells_for_each_case(found):
    lines = to_markdown(found).splitlines()
    assert lines[0] == "| Prompt | Preferred | DPO | DPO: judgment | PRO-P | PRO-P: judgment |"
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 7 for line in lines)


def test_hostile_text_is_inert_in_both_formats(found):
    files = case_files(found)
    assert "<script>" not in files["cases.html"] and "&lt;script&gt;" in files["cases.html"]
    assert "\\!\\[x\\](http" in files["cases.md"] and "\\<script\\>" in files["cases.md"]


@given(st.text())
def test_every_mark_is_escaped(text):
    """Source: CommonMark, section 2.4: a punctuation mark after a backslash is text."""
    bare = re.sub(r"\\[\\`*_~\[\]<>|&!$]", "", inert(text))
    assert not set(bare) & set("\\`*_~[]<>|&!$\n\r")


def test_nothing_answered_is_an_empty_table():
    assert case_files([])["cases.md"].splitlines()[0] == "| Prompt | Preferred |"
