"""The page: self-contained, and inert whatever a model says."""

import re
from html.parser import HTMLParser

import pytest

from plumbline.report.canvas import to_svg
from plumbline.report.figures import pro_figure
from plumbline.report.page import PageContent, Picture, Section, page, samples

HOSTILE = '</bdi></style><script>alert("x")</script><img src=x onerror=\'y\'> \u202erev مرحبا & "q"'


def response(name: str, answer: str, follow_ups=None, more=()) -> dict:
    return {
        "id": name,
        "prompt": [{"role": "user", "content": f"ask {name} {HOSTILE}"}],
        "follow_ups": follow_ups,
        "answers": [answer, *more],
    }


@pytest.fixture
def html(table, grid, ways) -> str:
    responses = {
        "SFT": [response("a", "fine", ["and then?"], ["then"])],
        HOSTILE: [response("a", HOSTILE, ["and then?"], [""])],
    }
    picture = Picture("pro", HOSTILE, HOSTILE, to_svg(pro_figure()), b"")
    section = Section(HOSTILE, table, grid, (picture,), samples(responses, 4), ways)
    return page(
        PageContent(
            title=HOSTILE,
            sections=(section,),
            lead=HOSTILE,
            stamp=HOSTILE,
            provenance=((HOSTILE, HOSTILE),),
            differences=((HOSTILE,) * 4,),
            not_run=((HOSTILE, HOSTILE),),
        )
    )


class Inspector(HTMLParser):
    """Collects tags, their attributes, and whether every tag is closed in order."""

    VOID = {"meta", "br", "img", "link", "input", "path", "use", "rect", "stop"}

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = set(), [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_hostile_text_stays_text(html):
    found = Inspector(html)
    assert not found.open
    assert not found.tags & {"script", "img", "iframe", "object", "link", "b", "i"}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert HOSTILE in found.text


def test_nothing_is_asked_of_the_network(html):
    """Policy forbids it, and no attribute or style sheet would."""
    assert "default-src 'none'" in html
    references = [
        value
        for name, value in Inspector(html).attributes
        if name in {"src", "href", "xlink:href", "srcset", "action"}
    ]
    assert all(value.startswith("#") for value in references)
    assert not re.search(r"@import|url\((?!#)", html)


def test_every_part_is_there(html):
    text = "".join(Inspector(html).text)
    for part in ("Table 1", "Validation grid", "Figures", "What the models say",
                 "The paper and this run", "What was not run"):  # fmt: skip
        assert part in text
    assert "20.50 ± 1.25" in text
    assert "asked next: and then?" in text
    assert "empty answer" in text


def test_parts_without_content_are_left_out(table):
    text = "".join(Inspector(page(PageContent("Bare", (Section("s", table),)))).text)
    assert "Table 1" in text
    for part in ("Validation grid", "Figures", "What the models say", "What was not run"):
        assert part not in text


def test_samples_are_the_prompts_that_all_methods_answered_in_an_order_nobody_chose():
    """sha256("c") = 2e7d..., sha256("b") = 3e23..., sha256("a") = ca97...: c, b, a.

    Source: `printf c | sha256sum`.
    """
    rows = {name: [response(i, f"{name} {i}") for i in "abc"] for name in ("SFT", "DPO")}
    rows["DPO"].append(response("d", "only here"))
    found = samples(rows, 2)
    assert [[answer.turns for answer in sample.answers] for sample in found] == [
        [("SFT c",), ("DPO c",)],
        [("SFT b",), ("DPO b",)],
    ]
    assert samples({}, 2) == ()
