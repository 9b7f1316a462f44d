"""Both sides of the bench do the same work: after ten steps their gradients are of one length."""

import io

import pytest
import torch

from bench import ours, theirs
from bench.gate import Gate
from bench.works import WORKS

torch.set_num_threads(1)
STEPS = 10


def gate() -> Gate:
    return Gate(io.StringIO("go\n" * 50), io.StringIO(), WORKS["a"].steps)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_gradient_and_rate_of_the_tenth_step_agree(method, tmp_path):
    """Other tokens, another order, loss, reference or rate in any of them would show."""
    work = WORKS["a"]
    dynamics = ours.train(work, method, STEPS, gate(), tmp_path / "ours")
    log = theirs.train(work, method, STEPS, gate(), tmp_path / "theirs")
    own = {row["metric"]: row["value"] for row in dynamics.rows if row["step"] == STEPS}
    [entry] = [item for item in log if "grad_norm" in item]
    assert own["gradient_norm"] == pytest.approx(entry["grad_norm"], rel=1e-3)
    assert own["learning_rate"] == pytest.approx(entry["learning_rate"], rel=1e-6)


def test_a_gate_tells_seconds_of_a_step_and_stops_where_the_lines_end():
    answers = io.StringIO()
    one = Gate(io.StringIO("go\n"), answers, steps=2)
    assert one.measure(None, 0) == {}
    with pytest.raises(SystemExit):
        one.wait()
    assert [line.count("cpu") for line in answers.getvalue().splitlines()] == [1, 1]
