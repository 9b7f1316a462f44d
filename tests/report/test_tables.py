"""Tables in every format. Source of the expected texts: by hand from the fixture's numbers."""

import csv
import io
from dataclasses import replace

import pytest

from plumbline.aggregate import Clean
from plumbline.report.tables import (
    grid_to_csv,
    grid_to_html,
    grid_to_markdown,
    long_csv,
    table_files,
    to_csv,
    to_html,
    to_latex,
    to_markdown,
)
from plumbline.report.terminal import summary


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_keeps_every_digit_and_leaves_gaps_empty(table):
    sft, dpo, kto = read(to_csv(table))
    assert sft["toyland.win_rate@1@toyland-gold 1"] == "12.345"
    assert sft["toyland.win_rate@1@toyland-gold 1.spread"] == ""
    assert dpo["toyland.win_rate@1@toyland-gold 1.spread"] == "1.25"
    assert kto["toyland.win_rate@1@toyland-gold 1"] == ""
    assert kto["toyland.win_rate@1@toyland-gold 1.status"] == "diverged"
    assert (dpo["average_rank"], kto["average_rank"]) == ("1.0", "")


def test_markdown(table):
    assert to_markdown(table) == (
        "| Method | Toyland: Win rate ↑ | MT-Bench: Score ↑ (plumbing, not a measurement)"
        " | Average rank |\n"
        "| :-- | --: | --: | --: |\n"
        "| SFT | 12.35 | 4.0 | 2.00 |\n"
        "| DPO | **20.50 ± 1.25** | 6.0 ± 0.1 (incomplete) | 1.00 |\n"
        "| &lt;b>&K\\|TO_$ | – diverged | – diverged | – |\n"
        "\n"
        "- **Data.** 50 % made up & &lt;i>escaped&lt;/i>\n"
    ).replace(" | Average rank |", " | Average rank (plumbing, not a measurement) |")


def test_latex(table):
    lines = [line.strip() for line in to_latex(table).splitlines()]
    assert lines[2] == r"\begin{tabular}{lrrr}"
    assert r"\cmidrule(lr){2-2}\cmidrule(lr){3-3}" in lines
    assert r"DPO & \textbf{20.50 $\pm$ 1.25} & 6.0 $\pm$ 0.1 (incomplete) & 1.00 \\" in lines
    assert r"<b>\&K|TO\_\$ & -- diverged & -- diverged & -- \\" in lines
    assert r"\caption{\emph{Data.} 50 \% made up \& <i>escaped</i>}" in lines


def test_html_escapes_and_marks(table):
    html = to_html(table)
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;K|TO_$" in html
    assert "&lt;i&gt;escaped&lt;/i&gt;" in html
    assert '<td class="best">20.50 <span class="spread">± 1.25</span></td>' in html
    assert 'title="loss is &#34;nan&#34; at step 9">diverged</span>' in html
    assert html.count('<span class="stamp">plumbing, not a measurement</span>') == 2


def test_a_stamp_stands_in_every_cell_that_has_a_number(table, grid):
    def stamped(cell):
        return replace(cell, stamp="scratch model")

    lines = [replace(line, cells=tuple(map(stamped, line.cells))) for line in table.lines]
    marked = replace(table, lines=tuple(lines))
    assert "| SFT | 12.35 (scratch model) | 4.0 (scratch model) | 2.00 |" in to_markdown(marked)
    assert "| **20.50 ± 1.25 (scratch model)** | 6.0 ± 0.1 (incomplete) (scratch model) |" in (
        to_markdown(marked)
    )
    both = "scratch model; plumbing, not a measurement"
    assert f"| Average rank ({both}) |" in to_markdown(marked)
    assert "SFT & 12.35 (scratch model) & 4.0 (scratch model) & 2.00" in to_latex(marked)
    assert to_html(marked).count('<span class="stamp">scratch model</span>') == 4
    assert read(to_csv(marked))[0]["mt_bench.score@2@surface-judge 1.stamp"] == both
    rows = [replace(row, cells={k: stamped(c) for k, c in row.cells.items()}) for row in grid.rows]
    marked_grid = replace(grid, rows=tuple(rows))
    assert grid_to_markdown(marked_grid).count("(scratch model)") == 3
    assert grid_to_html(marked_grid).count('<span class="stamp">scratch model</span>') == 3
    assert {row["stamp"] for row in read(grid_to_csv(marked_grid))} == {"scratch model"}


@pytest.fixture
def contaminated(table):
    """SFT's wins without 12 of 256 items; DPO's over three seeds; of its score nothing is left."""
    sft, dpo, kto = table.lines
    wins = replace(sft.cells[0], clean=Clean(12, 256, 11.987, None))
    seeds = replace(dpo.cells[0], clean=Clean(12, 256, 19.004, 2.5))
    score = replace(dpo.cells[1], clean=Clean(160, 160, None, None))
    lines = (replace(sft, cells=(wins, sft.cells[1])), replace(dpo, cells=(seeds, score)), kto)
    return replace(table, lines=lines)


def test_a_clean_number_stands_beside_a_contaminated_one(contaminated):
    markdown = to_markdown(contaminated).splitlines()
    assert markdown[2] == "| SFT | 12.35† [11.99] | 4.0 | 2.00 |"
    assert markdown[3] == (
        "| DPO | **20.50 ± 1.25† [19.00 ± 2.50]** | 6.0 ± 0.1† [–] (incomplete) | 1.00 |"
    )
    assert r"SFT & 12.35\textdagger{} [11.99] & 4.0 & 2.00" in to_latex(contaminated)
    assert to_html(contaminated).count('<span class="clean"') == 3
    assert (
        '<span class="clean" title="12 of 256 items also in the training prompts">† [11.99]</span>'
    ) in to_html(contaminated)
    assert "20.50 ± 1.25† [19.00 ± 2.50]" in summary(contaminated)


def test_csv_has_the_clean_number_in_every_digit(contaminated):
    sft, dpo, kto = read(to_csv(contaminated))
    wins, score = "toyland.win_rate@1@toyland-gold 1", "mt_bench.score@2@surface-judge 1"
    parts = ("contaminated", "clean", "clean_spread")
    assert [sft[f"{wins}.{part}"] for part in parts] == ["12", "11.987", ""]
    assert [dpo[f"{wins}.{part}"] for part in parts] == ["12", "19.004", "2.5"]
    assert [dpo[f"{score}.{part}"] for part in parts] == ["160", "", ""]
    assert [kto[f"{wins}.{part}"] for part in parts] == ["", "", ""]


def test_a_contaminated_grid_says_what_its_marks_mean(grid):
    note = (
        "† 3 of 90 items also in the training prompts; in brackets the number without them, – "
        "where there is none."
    )
    sft, dpo, pro_b = grid.rows
    cells = {name: replace(c, clean=Clean(3, 90, 7.5, 0.5)) for name, c in dpo.cells.items()}
    marked = replace(grid, rows=(sft, replace(dpo, cells=cells), pro_b))
    lines = grid_to_markdown(marked).splitlines()
    assert lines[3] == (
        "| DPO |  | 10.00 ± 1.00† [7.50 ± 0.50] | **20.00 ± 2.00† [7.50 ± 0.50]** |"
    )
    assert lines[5:] == ["", note]
    assert grid_to_html(marked).count('<span class="clean"') == 2
    assert f"<p>{note}</p>" in grid_to_html(marked)
    assert [row["clean"] for row in read(grid_to_csv(marked))] == ["", "7.5", "7.5", ""]
    assert "†" not in grid_to_markdown(grid) + grid_to_html(grid)


def test_the_grid_names_whole_points_and_the_selected_one(grid):
    rows = read(grid_to_csv(grid))
    assert [(row["method"], row["point"], row["selected"]) for row in rows] == [
        ("sft", "default", "true"),
        ("dpo", "beta=0.1", "false"),
        ("dpo", "beta=0.3", "true"),
        ("pro_b", "alpha=2.5,beta=0.1", "false"),
    ]
    assert grid_to_markdown(grid).splitlines()[3:] == [
        "| DPO |  | 10.00 ± 1.00 | **20.00 ± 2.00** |",
        "| PRO-B alpha=2.5 |  | – diverged |  |",
    ]


def test_the_grid_is_shaded_from_worst_to_best(grid):
    """5, 10 and 20 lie at 0, a third and the whole of the way."""
    html = grid_to_html(grid)
    assert [part.split("%")[0] for part in html.split("--heat: ")[1:]] == ["0", "33", "100", "0"]
    assert html.count("selected</span>") == 2


def test_the_long_form_keeps_the_standard_error():
    row = {"method": "dpo", "metric": "win_rate", "value": 20.5, "se": 1.5, "status": "ok"}
    (found,) = read(long_csv([row]))
    assert (found["value"], found["se"], found["judge"]) == ("20.5", "1.5", "")


def test_a_settings_files(table, grid):
    files = table_files(table, grid, [])
    assert sorted({name.split(".")[0] for name in files}) == [
        "numbers",
        "table1",
        "validation_grid",
    ]
    assert files["table1.md"] == to_markdown(table)
    assert files["numbers.csv"].startswith("setting,method,point,seed,split,")
