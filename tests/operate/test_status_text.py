"""The screen: it fits, breaks no command, and takes no text of a log for its own markup."""

import io
from pathlib import Path

import pytest
from pretended import leave_all, leave_until
from rich.console import Console

from plumbline import layout
from plumbline.artifacts import write_json
from plumbline.operate.status import status
from plumbline.operate.status_text import screen


def shown(experiment, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(screen(status(experiment, Path("two.yaml"))), crop=False)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal_but_for_commands(two, width):
    last = leave_until(two, "align", "dpo")
    last.log.parent.mkdir(parents=True)
    last.log.write_text(("a long line " * 40) + "\n[bold]not ours[/bold] [/]\n")
    write_json(layout.error_note(last.log), {"error": "DataError"})
    lines = shown(two, width).splitlines()
    assert all(len(line) <= width for line in lines if "snakemake" not in line)
    assert any("[bold]not ours[/bold] [/]" in line for line in lines)
    again = f"{last.outputs[0]} --configfile two.yaml"
    assert any(line.endswith(again) for line in lines)


def test_at_the_end_the_page_is_named(two):
    leave_all(two)
    text = shown(two, 80)
    assert f"All is done: {two.folder.report}" in text and "snakemake --cores" not in text


def test_a_dead_snakemakes_lock_is_told_with_the_command(two):
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.output.lock").touch()
    assert "  snakemake --unlock --configfile two.yaml\n" in shown(two, 120)
