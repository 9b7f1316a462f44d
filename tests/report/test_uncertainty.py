"""How sure a table is, as printed. Expected texts are written out from the fixture."""

from dataclasses import replace

from plumbline.report.uncertainty import needed_text, to_html, uncertainty_files


def test_csv_has_a_line_for_each_cell_and_empty_fields(sure):
    lines = uncertainty_files(sure)["uncertainty.csv"].splitlines()
    assert lines[1] == (
        "toyland.win_rate@1,<b>&DPO,20.125,18.5,21.75,3.2,2,100,"
        "NCA,-1.5,-3,0.25,-0.2,0.42,512,9,2,20.125,20,21"
    )
    assert lines[2] == "toyland.win_rate@1,NCA,21.625,20,23.25,3.2,2,100,,,,,,,,,0,,,"


def test_ranks_have_their_ends_and_places(sure):
    lines = uncertainty_files(sure)["ranks.csv"].splitlines()
    assert lines[1] == "<b>&DPO,2,1,2,0.25,1,2"


def test_markdown_says_it_in_words(sure):
    text = uncertainty_files(sure)["uncertainty.md"]
    assert "| NCA | 1.00 [1.00, 2.00] | 75 % | 1–2 |" in text
    assert "All 2 methods equal: p = 0.400 (no method is shown to differ)" in text
    assert "| 20.12 [18.50, 21.75], 2 seeds | NCA | -1.50 [-3.00, 0.25] |" in text
    assert "| -0.20 | 0.42 | 512 items or 9 seeds |" in text
    assert "2 items missing; 20.12 over the others, between 20.00 and 21.00" in text


def test_friedman_names_its_blocks(sure, friedman):
    text = uncertainty_files(replace(sure, contest=replace(sure.contest, friedman=friedman)))
    assert (
        "Friedman over 3 blocks (Toyland: Win rate): chi-squared 4.67, p = 0.097; Nemenyi's "
        "critical difference is 1.91 places." in text["uncertainty.md"]
    )


def test_what_it_would_take_to_tell_two_apart(sure):
    gap = sure.cells[0].gap
    assert needed_text(replace(gap, items=None)) == "9 seeds"
    assert needed_text(replace(gap, items=None, seeds=None)) == "–"
    assert needed_text(replace(gap, high=-0.1)) == "apart"


def test_html_is_escaped_and_has_both_tables(sure):
    html = to_html(sure)
    assert "&lt;b&gt;&amp;DPO" in html and "<b>" not in html
    assert html.count("<table") == 2 and "20.12 [18.50, 21.75]" in html


def test_where_nobody_is_ranked_there_are_cells_only(sure):
    alone = replace(sure, contest=None)
    assert uncertainty_files(alone).keys() == {"uncertainty.csv", "uncertainty.md"}
    assert to_html(alone).count("<table") == 1
