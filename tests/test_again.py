"""What a killed job had finished is there again, and nothing else is."""

import pytest

from plumbline import layout
from plumbline.again import making, remember


@pytest.fixture
def outputs(tmp_path):
    return [tmp_path / name for name in ("a", "b")]


class Killed(BaseException):
    """Stands for the end of a process: nobody catches it."""


def killed_after(outputs, finished: int) -> None:
    """A job that makes some of its outputs; Snakemake removes them all."""
    with pytest.raises(Killed), making(outputs):
        for path in outputs[:finished]:
            path.write_text("made once")
            remember(path)
        raise Killed
    for path in outputs:
        path.unlink(missing_ok=True)


def test_finished_outputs_come_back_and_unfinished_ones_do_not(outputs):
    killed_after(outputs, 1)
    with making(outputs):
        assert [path.exists() for path in outputs] == [True, False]
        assert outputs[0].read_text() == "made once"


def test_so_does_what_an_earlier_job_had_finished(outputs):
    outputs[0].write_text("made long ago")
    killed_after(outputs, 0)
    killed_after(outputs, 0)
    with making(outputs):
        assert outputs[0].read_text() == "made long ago"


def test_a_newer_output_is_what_is_remembered(outputs):
    outputs[0].write_text("old")
    with pytest.raises(Killed), making(outputs):
        outputs[0].unlink()
        outputs[0].write_text("new")
        remember(outputs[0])
        raise Killed
    outputs[0].unlink()
    with making(outputs):
        assert outputs[0].read_text() == "new"


def test_a_job_that_ends_well_forgets(outputs, tmp_path):
    killed_after(outputs, 1)
    with making(outputs):
        outputs[1].write_text("made")
        remember(outputs[1])
        assert layout.kept(outputs[1]).is_file()
    assert sorted(tmp_path.iterdir()) == outputs
