"""Table 1 on the terminal."""

from plumbline.report.terminal import summary


def test_plain_text_where_nobody_watches(table):
    """pytest's standard output is no terminal."""
    lines = summary(table).splitlines()
    assert "\x1b" not in summary(table)
    (dpo,) = [line for line in lines if line.lstrip().startswith("DPO")]
    assert dpo.split() == ["DPO", "20.50", "±", "1.25", "6.0", "±", "0.1", "(incomplete)", "1.00"]
    assert any("diverged" in line and "<b>&K|TO_$" in line for line in lines)
    assert "plumbing, not a measurement" in summary(table)
    assert lines[-1] == "Data. 50 % made up & <i>escaped</i>"


def test_a_method_called_like_rich_markup_is_printed_as_it_is(table):
    from dataclasses import replace

    line = replace(table.lines[0], title="[red]x[/red]")
    assert "[red]x[/red]" in summary(replace(table, lines=(line,)))
