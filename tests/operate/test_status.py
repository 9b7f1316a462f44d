"""How jobs stand in made-up results folders: by the files and notes that real jobs leave.

What is expected is worked by hand from the workflow: sft -> reference -> align -> ... -> report.
"""

import os
import socket
from pathlib import Path

import psutil
import pytest
from pretended import job, leave, leave_all, leave_until, select

from plumbline import jobs, layout
from plumbline.artifacts import write_json, write_rows
from plumbline.operate.status import Status, status
from plumbline.operate.status_cells import lines
from plumbline.rows import RESULT

FILE = Path("two.yaml")


def look(experiment) -> Status:
    return status(experiment, FILE)


def state(experiment, *words) -> tuple[str, str]:
    """State and reason of the job whose name has these words."""
    wanted = job(experiment, *words)
    return next((item.state, item.why) for item in look(experiment).standings if item.job == wanted)


def log(item, text="a line\n") -> None:
    item.log.parent.mkdir(parents=True, exist_ok=True)
    item.log.write_text(text)


def running_note(item, **changes) -> None:
    me = psutil.Process()
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": me.create_time(),
        "since": "2026-01-01T00:00:00+00:00",
        "slurm_job": None,
    }
    log(item)
    write_json(layout.running_note(item.log), note | changes)


def test_nothing_begun_is_missing(two):
    counts = look(two).counts
    assert counts == {
        "done": 0,
        "running": 0,
        "failed": 0,
        "waiting": 0,
        "missing": len(jobs.every(two)),
    }


def test_all_left_is_done(two):
    leave_all(two)
    found = look(two)
    assert found.counts["done"] == len(found.standings)
    assert all(cell.state == "done" for line in lines(found) for cell in line.cells)


def test_half_a_chunk_is_told(two):
    last = leave_until(two, "align", "dpo")
    leave(two, last, count=1)
    item = next(item for item in look(two).standings if item.job == last)
    assert (item.state, len(item.done), len(last.outputs)) == ("missing", 1, 2)
    line = next(line for line in lines(look(two)) if line.method == "dpo")
    assert (line.trained.done, line.trained.of) == (1, 2)


def test_a_live_process_runs_and_its_cells_too(two):
    last = leave_until(two, "align", "dpo")
    running_note(last)
    assert state(two, "align", "dpo")[0] == "running"
    cells = {line.method: {cell.state for cell in line.cells} for line in lines(look(two))}
    assert cells == {"sft": {"missing"}, "dpo": {"running"}, "ipo": {"missing"}}


def test_a_process_that_is_gone_was_killed_and_holds_up_what_follows(two):
    last = leave_until(two, "align", "dpo")
    running_note(last, started=psutil.Process().create_time() - 1000)  # another's pid by now
    assert state(two, "align", "dpo")[1].startswith("killed: its process is gone")
    assert state(two, "score", "dpo") == ("waiting", f"for align {' '.join(last.names)}")
    assert state(two, "align", "ipo")[0] == "missing"
    cells = {line.method: {cell.state for cell in line.cells} for line in lines(look(two))}
    assert cells == {"sft": {"missing"}, "dpo": {"failed"}, "ipo": {"missing"}}


def test_a_process_of_another_machine_is_not_taken_for_dead(two):
    last = leave_until(two, "align", "dpo")
    running_note(last, host="node7", slurm_job="4711")
    found, why = state(two, "align", "dpo")
    assert found == "running" and "node7" in why and "`squeue -j 4711`" in why


def test_an_error_is_told_by_name_with_the_last_lines(two):
    last = leave_until(two, "align", "dpo")
    log(last, "one\n\x1b[31mtwo\x1b[0m\n")
    write_json(layout.error_note(last.log), {"error": "DataError"})
    item = next(item for item in look(two).standings if item.job == last)
    assert (item.state, item.why, item.lines) == ("failed", "DataError", ("one", "two"))


def test_a_log_of_which_nothing_came_is_a_failure_but_not_after_a_good_end(two):
    last = leave_until(two, "align", "dpo")
    log(last, "plumbline: command not found\n")
    assert state(two, "align", "dpo") == ("failed", "its log ends without a result")
    leave(two, last)
    for path in last.outputs:
        path.unlink()
    assert state(two, "align", "dpo")[0] == "missing"


def test_test_scores_of_another_point_are_not_of_what_is_there(two):
    leave_all(two)
    chosen = job(two, "select", "dpo")
    select(two, chosen, chosen.outputs[0], "beta=0.3")
    assert state(two, "score", "test", "1") == ("missing", "made of what is no longer there")
    assert state(two, "score", "test", "2")[0] == "done"
    assert state(two, "report")[0] == "missing"


def test_scores_of_a_model_that_was_trained_again_are_not_done(two):
    leave_all(two)
    path = job(two, "score", "validation", "ipo").outputs[0]
    write_rows(path, [], RESULT, {"model": "another"})
    assert state(two, "score", "validation", "ipo")[0] == "missing"
    assert state(two, "select", "ipo")[0] == "missing"
    assert state(two, "score", "validation", "dpo")[0] == "done"


def test_a_selection_without_a_new_point_is_not_done(two):
    leave_all(two)
    path = job(two, "select", "dpo").outputs[0]
    write_json(path, {"point": "beta=0.1", "candidates": [{"point": "beta=0.1"}]})
    assert state(two, "select", "dpo")[0] == "missing"


@pytest.mark.parametrize(("digest", "expected"), [("same", "done"), ("other", "missing")])
def test_tables_are_done_where_they_read_the_scores_that_are_there(two, digest, expected):
    leave_all(two)
    scores = job(two, "score", "test", "1").outputs[0]
    write_json(layout.trace(scores), {"file": "same"})
    files = {str(scores): {"file": digest}}
    write_json(two.folder.provenance, {"files": files})
    assert state(two, "aggregate")[0] == expected
    assert state(two, "report")[0] == expected


def test_a_lost_run_is_missing_and_with_it_what_was_made_of_it(two):
    leave_all(two)
    job(two, "align", "ipo").outputs[0].unlink()
    assert state(two, "align", "ipo")[0] == "missing"
    assert state(two, "report")[0] == "missing"
    assert state(two, "score", "validation", "dpo")[0] == "done"
