"""SVG inside HTML."""

from plumbline.report.canvas import to_svg
from plumbline.report.figures import pro_figure
from plumbline.report.inline import inline


def test_an_inlined_figure_is_scalable_and_follows_the_theme():
    svg = inline(to_svg(pro_figure()))
    assert svg.startswith("<svg")
    assert "var(--ink)" in svg and "var(--paper)" in svg and "var(--sans)" in svg
    assert "#1b1f24" not in svg and "DejaVu" not in svg
    assert "<metadata" not in svg
    head = svg[: svg.index(">")]
    assert "viewBox" in head and "width=" not in head


def test_what_is_referred_to_keeps_its_id():
    svg = inline(to_svg(pro_figure()))
    assert 'id="axes_1"' not in svg
    for reference in {part.split(")")[0] for part in svg.split("url(#")[1:]}:
        assert f'id="{reference}"' in svg
    for reference in {part.split('"')[0] for part in svg.split('xlink:href="#')[1:]}:
        assert f'id="{reference}"' in svg
