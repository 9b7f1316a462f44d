"""The ways of choosing points, as printed. Expected texts are written out from the fixture."""

from plumbline.report.protocol import protocol_files, to_html


def test_csv_has_every_digit_and_empty_fields(ways):
    lines = protocol_files(ways)["protocol.csv"].splitlines()
    assert lines[1].startswith("<b>&DPO,toyland.win_rate@1,beta=0.1,20.125,beta=0.3,21.5,1.375,")
    assert lines[1].endswith(",0.0,2.75,beta=0.1,20.125")
    assert lines[2].endswith(",tau=1.0,18.0,tau=1.0,18.0,0.0,,,,")


def test_markdown_says_what_picking_on_test_adds(ways):
    text = protocol_files(ways)["protocol.md"]
    assert (
        "| 20.12 at beta=0.1 | 21.50 at beta=0.3 | 1.38 [0.00, 2.75] | 20.12 at beta=0.1 |" in text
    )
    assert "| 18.00 at tau=1.0 | 18.00 at tau=1.0 | 0.00 | – |" in text


def test_who_tried_fewer_points_than_the_budget_is_marked(ways):
    text = protocol_files(ways)["protocol.md"]
    assert "DPO | 3 | 2.00 | 1.00 | – | beta=0.3 |" in text
    assert "| NCA | 1* |" in text and "*: fewer points than the budget of 3." in text


def test_html_is_escaped_and_has_both_tables(ways):
    html = to_html(ways)
    assert "&lt;b&gt;&amp;DPO" in html and "<b>" not in html
    assert html.count("<table") == 2 and "1.38 [0.00, 2.75]" in html
